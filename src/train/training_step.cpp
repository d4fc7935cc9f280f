#include "peerless/train/training_step.h"

#include <cmath>

#include "peerless/train/step_gradient.h"

namespace peerless {

TrainingStep::TrainingStep(LanguageModel& model, const OptimConfig& config, Communicator& communicator)
    : model_(model),
      communicator_(communicator),
      parameters_(model),
      gradients_(parameters_),
      optimizer_(parameters_, std::get<AdamWConfig>(config)) {}

StepReport TrainingStep::run(const StepPlan& plan, const std::function<Batch()>& next_batch) {
  gradients_.clear();
  StepGradient gradient(model_, plan.targets, plan.micro_batches);
  for (std::int64_t i = 0; i < plan.micro_batches_here; ++i) {
    const Batch batch = next_batch();
    gradient.add(tensors_of(batch, model_.decoder->embedding().device()));
  }
  communicator_.sum(gradients_.dense());
  const GradNorms norms = measure(gradients_);

  StepReport report{.loss = gradient.loss(),
                    .aux_loss = gradient.aux_loss(),
                    .z_loss = gradient.z_loss(),
                    .lr = plan.lr,
                    .grad_norm = norms.dense,
                    .table_grad_norm = norms.tables};
  for (const auto& table : gradients_.tables()) report.rows_touched += table->size();
  report.skipped = !std::isfinite(report.loss) || !norms.finite();
  if (report.skipped) return report;
  optimizer_.step(plan.lr, norms);
  model_.decoder->commit(gradient.stats());
  return report;
}

NamedTensors TrainingStep::named_tensors() const {
  NamedTensors all = parameters_.named_tensors();
  for (auto& moment : optimizer_.named_tensors()) all.push_back(std::move(moment));
  return all;
}

}  // namespace peerless
