// One step of training: the gradient of its micro-batches, then reduce, guard, clip, update, commit.
//
// A step whose loss or gradient is not finite changes nothing: neither weights nor moments nor running statistics.
#pragma once

#include <functional>
#include <optional>

#include "peerless/data/batch.h"
#include "peerless/dist/communicator.h"
#include "peerless/model/language_model.h"
#include "peerless/optim/step_update.h"

namespace peerless {

struct StepPlan {
  std::int64_t micro_batches_here = 1;  // that this process computes
  std::int64_t micro_batches = 1;       // of all processes
  std::int64_t targets = 0;             // unmasked, in all of them
  double lr = 0;
};

// The learning numbers of one step: equal in every replay of it.
struct StepReport {
  double loss = 0;                 // cross-entropy per unmasked token, in nats
  std::optional<double> aux_loss;  // what the blocks add; none: no block has one
  double z_loss = 0;               // what the head adds; 0: nothing
  double lr = 0;
  double grad_norm = 0;           // of dense parameters, before clipping
  double table_grad_norm = 0;     // of tables
  std::int64_t rows_touched = 0;  // of tables; 0: there are none
  bool skipped = false;           // not finite, or incomplete: nothing was changed
  bool complete = true;           // false: a process had no data for it, so it is no step
};

class TrainingStep {
 public:
  // Model and communicator outlive the step.
  TrainingStep(LanguageModel& model, const OptimConfig& config, Communicator& communicator,
               const Division& division = {});

  StepReport run(const StepPlan& plan, const std::function<Batch()>& next_batch);

  // Of the newest step's statistics: how its tokens spread over experts. Waits for a device.
  Figures figures() const { return model_.decoder->figures(stats_); }

  const ParameterSet& parameters() const { return parameters_; }
  NamedTensors named_tensors() const;  // weights, running statistics, moments: all that the next step depends on

 private:
  LanguageModel& model_;
  Communicator& communicator_;
  SumOrder order_;
  ParameterSet parameters_;
  StepUpdate update_;
  Stats stats_;
};

}  // namespace peerless
