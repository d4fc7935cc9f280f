// Tensors as a `State` and back: the one bridge between LibTorch and the checkpoint room.
//
// What lives in host memory is viewed, not copied. What lives on a device gets a host copy, which `restore` copies back
// after a load.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <string>
#include <vector>

#include "peerless/base/state.h"

namespace peerless {

// A tensor, or a slice of one whose other slices are held by other processes.
struct NamedTensor {
  std::string name;
  at::Tensor tensor;
  struct Slice {
    std::vector<std::int64_t> shape;   // of the whole
    std::vector<std::int64_t> offset;  // where `tensor` begins in it
    std::int64_t copies_every = 0;     // ranks that hold it too are so far apart; 0: this process alone holds it
  };
  std::optional<Slice> slice = std::nullopt;
};
using NamedTensors = std::vector<NamedTensor>;

// Entries of the tensors, in order. The tensors must be contiguous, and live as long as the state is used.
State to_state(const NamedTensors& tensors);

// Makes `tensors` hold what a load wrote into the `state` that to_state made of them. c10::Error where a tensor has no
// entry, or one of another dtype or shape.
void restore(const State& state, const NamedTensors& tensors);

DType dtype_of(const at::Tensor& tensor);

}  // namespace peerless
