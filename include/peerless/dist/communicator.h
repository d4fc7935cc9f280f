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
#include <string>
#include <vector>

#include "peerless/base/peers.h"

namespace peerless {

// A contiguous tensor on its way to or from another rank.
struct Message {
  std::int64_t peer;
  at::Tensor tensor;
};
using Messages = std::vector<Message>;

class Communicator : public Peers {
 public:
  // Sends and receives. Those between two ranks come in the order in which they are sent; the receiver knows their size
  // and dtype. Returns when all have come and gone (on a device: in stream order). Empty tensors do not travel.
  virtual void exchange(const Messages& sent, const Messages& received) = 0;

  // What this process does, as "step 12: backward": the others hear it when somebody is lost. As cheap as its text.
  virtual void set_activity(std::string /*activity*/) {}

  // The same processes once more, made by all of them: its exchanges do not mix with those of this one, so that another
  // thread may make them at the same time. This one outlives it, and has no channels of its own.
  virtual std::unique_ptr<Communicator> channel() = 0;

  std::vector<std::string> collect(const std::string& here) final;
  std::string announce(const std::string& here) final;

  // The last operation: waits until all have come to it, and nothing is on its way any more on any process's device.
  virtual void close() {}
};

// Some processes of a communicator, this one among them, by their ranks there. All of that communicator make such
// subsets and use them alike. It outlives them.
class Subset final : public Communicator {
 public:
  Subset(Communicator& all, std::vector<std::int64_t> ranks);
  std::int64_t rank() const override { return rank_; }
  std::int64_t world_size() const override { return static_cast<std::int64_t>(ranks_.size()); }
  void exchange(const Messages& sent, const Messages& received) override;
  std::unique_ptr<Communicator> channel() override;

 private:
  Communicator& all_;
  std::vector<std::int64_t> ranks_;
  std::int64_t rank_;
  std::unique_ptr<Communicator> owned_;  // what all_ is, where this was made as a channel
};

// Where groups of so many consecutive ranks hold something together: the group of this process, and the processes that
// have its place in theirs, which hold the same part.
std::vector<std::int64_t> group_of(const Communicator& all, std::int64_t size);
// A channel of them; null for a group of one.
std::unique_ptr<Communicator> channel_of_group(Communicator& all, std::int64_t size);
std::vector<std::int64_t> copies_of(const Communicator& all, std::int64_t size);

// Of one process that trains alone.
Communicator& alone();

}  // namespace peerless
