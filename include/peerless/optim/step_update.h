// What makes a training step of backward passes: their gradients are added up, over processes too; then come the guard,
// the clipping, the update and the statistics.
//
// A step whose loss or gradient is not finite changes nothing: neither weights nor moments nor running statistics.
#pragma once

#include <functional>
#include <memory>

#include "peerless/dist/shard_copies.h"
#include "peerless/optim/config.h"
#include "peerless/optim/optimizer.h"
#include "peerless/params/gradients.h"

namespace peerless {

// How the work of a step is divided.
struct Division {
  SumOrder order = SumOrder::sequence;
  bool zero = false;  // ZeRO-1: each process holds a share of the optimizer's state (optim/ownership.h)
};

class StepUpdate {
 public:
  // The communicator outlives it.
  StepUpdate(const ParameterSet& parameters, const OptimConfig& config, Communicator& communicator = alone(),
             const Division& division = {});

  // Calls `backward` for each of this process's micro-batches.
  void accumulate(std::int64_t micro_batches, const std::function<void()>& backward);

  struct Result {
    GradNorms norms;                // before clipping
    std::int64_t rows_touched = 0;  // of tables
    bool skipped = false;
  };
  // `commit` applies the statistics of the step to the model; it is not called when the step is skipped.
  Result finish(double lr, double loss, const std::function<void()>& commit);

  const Gradients& gradients() const { return gradients_; }
  NamedTensors named_tensors() const { return optimizer_->named_tensors(); }

 private:
  void send_updates();
  std::int64_t count_rows_touched() const;

  Communicator& communicator_;
  ShardCopies copies_;
  const bool dense_tables_;  // all their rows change in a step
  Gradients gradients_;
  std::vector<Shares> owners_;  // of dense gradients; none without ZeRO
  GradientReduction reduction_;
  std::vector<Owned> owned_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace peerless
