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

#include <string>
#include <vector>

namespace peerless {

// A contiguous tensor on its way to or from another rank.
struct Message {
  std::int64_t peer;
  at::Tensor tensor;
};
using Messages = std::vector<Message>;

class Communicator {
 public:
  virtual ~Communicator() = default;
  virtual std::int64_t rank() const = 0;
  virtual std::int64_t world_size() const = 0;

  // Sends and receives. Those between two ranks come in the order in which they are sent; the receiver knows their size
  // and dtype. Returns when all have come and gone (on a device: in stream order). Empty tensors do not travel.
  virtual void exchange(const Messages& sent, const Messages& received) = 0;

  // What this process does, as "step 12: backward": the others hear it when somebody is lost. As cheap as its text.
  virtual void set_activity(std::string /*activity*/) {}

  // The last operation: waits until nothing is on its way any more on any process's device.
  virtual void close() {}
};

// Of one process that trains alone.
Communicator& alone();

}  // namespace peerless
