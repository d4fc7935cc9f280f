#include "peerless/train/training_step.h"

#include <limits>

#include "peerless/train/step_gradient.h"

namespace peerless {

TrainingStep::TrainingStep(LanguageModel& model, const OptimConfig& config, Communicator& communicator,
                           const Division& division)
    : model_(model),
      communicator_(communicator),
      order_(division.order),
      parameters_(model),
      update_(parameters_, config, communicator, division) {}

StepReport TrainingStep::run(const StepPlan& plan, const std::function<Batch()>& next_batch) {
  StepGradient gradient(model_, plan.targets, plan.micro_batches, order_);
  update_.accumulate(plan.micro_batches_here, [&] {
    const Batch batch = next_batch();
    gradient.add(tensors_of(batch, model_.decoder->embedding().device()), batch.stands_in);
  });

  StepMeans means = gradient.means(communicator_);
  const double objective = means.complete ? means.loss + means.z_loss + means.aux_loss.value_or(0)
                                          : std::numeric_limits<double>::quiet_NaN();
  const auto [norms, rows_touched, skipped] =
      update_.finish(plan.lr, objective, [&] { model_.decoder->commit(means.stats); });
  StepReport report{.loss = means.loss,
                    .aux_loss = means.aux_loss,
                    .z_loss = means.z_loss,
                    .lr = plan.lr,
                    .grad_norm = norms.dense,
                    .table_grad_norm = norms.tables,
                    .rows_touched = rows_touched,
                    .skipped = skipped,
                    .complete = means.complete};
  stats_ = std::move(means.stats);
  return report;
}

NamedTensors TrainingStep::named_tensors() const {
  NamedTensors all = parameters_.named_tensors();
  for (auto& moment : update_.named_tensors()) all.push_back(std::move(moment));
  return all;
}

}  // namespace peerless
