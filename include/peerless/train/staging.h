// What a process saves of a run's tensors, and a copy of it to be written while training goes on.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/dist/communicator.h"
#include "peerless/params/tensor_state.h"

namespace peerless {

// Of a process's tensors those that it writes: its slices; of whole ones, which all have, each goes to one process, so
// that all write about as much.
NamedTensors part_to_save(const NamedTensors& tensors, const Communicator& communicator);

// Memory   of the tensors copied, taken at the first copy and kept; pinned where they live on a GPU
// Cost     a copy at the speed of memory, by all threads
class Staging {
 public:
  // A copy of the tensors as they are now. It takes the place of the one before, which must not be used any more.
  // c10::Error where memory is short; the same tensors each time.
  State copy(const NamedTensors& tensors);

  static std::int64_t bytes_for(const NamedTensors& tensors);
  // Whether there is memory for a copy, beside those of so many processes of this host; tells at the first time.
  bool can_hold(const NamedTensors& tensors, std::int64_t processes_here) const;

 private:
  at::Tensor memory_;
};

}  // namespace peerless
