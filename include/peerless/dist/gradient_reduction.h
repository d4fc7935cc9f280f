// How the gradients of micro-batches become that of a step: they are added up over the micro-batches of this process,
// and then over processes while backward still runs.
//
// Order    sequence   a process adds micro-batch after micro-batch into the same memory
//          tree       by one binary tree over the micro-batches of all processes: the same bits whatever their number.
//                     It must be a power of two, as the number of processes. Memory: log2(micro-batches of a process)
//                     more copies of the gradient.
// Owners   Without owners all processes get all sums. With them a process gets its own share of each gradient alone,
//          which is half of the traffic; elsewhere its gradients are not to be used.
// Shards   The gradient of a shard is summed over those that hold the same one.
// Overlap  Dense gradients go in buckets of at least 1 MiB (32 MiB on a device) of whole tensors, the last parameters
//          first, each as soon as the last backward has been through its tensors; a thread of its own exchanges and
//          adds. The order of buckets never changes. Tables follow after backward, by rows: only touched ones travel.
//          On a device buckets too wait for the end of backward where it exchanges something itself (shards): NCCL
//          wants its work of several groups in one order on all ranks, which two threads do not keep.
// Errors   those of the communicator
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "peerless/dist/row_reduction.h"
#include "peerless/params/gradients.h"

namespace peerless {

enum class SumOrder { sequence, tree };

class GradientReduction {
 public:
  // Both outlive it. `owners`: of each dense gradient (of gradients.places()) among those that hold the same shard, or
  // of none. Takes the post-accumulate hooks of all dense parameters.
  GradientReduction(const Gradients& gradients, Communicator& communicator, SumOrder order,
                    std::vector<Shares> owners = {});
  ~GradientReduction();
  GradientReduction(const GradientReduction&) = delete;
  GradientReduction& operator=(const GradientReduction&) = delete;

  // Calls `backward`, which adds a micro-batch's gradient, so many times. The gradients, cleared before, are then those
  // of the step.
  void run(std::int64_t micro_batches, const std::function<void()>& backward);

  // Of each table, in the order of gradients.tables(); none for one process.
  const std::vector<RowReduction>& tables() const;

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerless
