// How the gradients of micro-batches become that of a step: they are added up over the micro-batches of this process,
// and then over processes while backward still runs.
//
// Order    sequence   a process adds micro-batch after micro-batch into the same memory
//          tree       by one binary tree over the micro-batches of all processes: the same bits whatever their number.
//                     It must be a power of two, as the number of processes. Memory: log2(micro-batches of a process)
//                     more copies of the gradient.
// Overlap  Dense gradients go in buckets of 4 MiB (32 MiB on a device), the last parameters first, each as soon as the
//          last backward has been through its tensors; a thread of its own exchanges and adds. The order of buckets
//          never changes. Tables follow after backward, by rows: only touched ones travel.
// Errors   those of the communicator
#pragma once

#include <functional>
#include <memory>
#include <vector>

#include "peerless/dist/communicator.h"
#include "peerless/params/gradients.h"

namespace peerless {

enum class SumOrder { sequence, tree };

class GradientReduction {
 public:
  // Both outlive it. Takes the post-accumulate hooks of all dense parameters.
  GradientReduction(const Gradients& gradients, Communicator& communicator, SumOrder order);
  ~GradientReduction();
  GradientReduction(const GradientReduction&) = delete;
  GradientReduction& operator=(const GradientReduction&) = delete;

  // Calls `backward`, which adds a micro-batch's gradient, so many times. The gradients, cleared before, are then those
  // of the step, on all processes.
  void run(std::int64_t micro_batches, const std::function<void()>& backward);

 private:
  class Impl;
  std::unique_ptr<Impl> impl_;
};

}  // namespace peerless
