// What training needs of the processes that train together. The rest of the code sees no backend.
//
// A communicator moves tensors; nothing is added up by a backend. Sums are made by collectives.h in an order of our
// own, so that they have the same bits on all processes and in every replay.
//
// Samples are dealt to ranks by the sample order, not by the communicator; see data/order.h.
//
// Rule     all processes call the same operations in the same order, one at a time
// Errors   Error(peer): a process died, or did not answer within the timeout. Nothing can be exchanged any more.
#pragma once

#include <ATen/core/Tensor.h>

#include <memory>
#include <vector>

namespace peerless {

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual std::int64_t rank() const = 0;
  virtual std::int64_t world_size() const = 0;

  // Sends to[r] to each other rank r, and fills from[r] with what that one sends here. Contiguous, of the size and
  // dtype that the other side expects; empty tensors are not sent. Returns when all is done (on a device: in stream
  // order).
  virtual void exchange(const std::vector<at::Tensor>& to, const std::vector<at::Tensor>& from) = 0;
};

// One process that trains alone.
std::unique_ptr<Communicator> single_process();

}  // namespace peerless
