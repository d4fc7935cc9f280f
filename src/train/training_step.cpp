#include "peerless/train/training_step.h"

#include "peerless/train/step_gradient.h"

namespace peerless {

TrainingStep::TrainingStep(LanguageModel& model, const OptimConfig& config, Communicator& communicator)
    : model_(model), communicator_(communicator), parameters_(model), update_(parameters_, config) {}

StepReport TrainingStep::run(const StepPlan& plan, const std::function<Batch()>& next_batch) {
  update_.begin();
  StepGradient gradient(model_, plan.targets, plan.micro_batches);
  for (std::int64_t i = 0; i < plan.micro_batches_here; ++i) {
    const Batch batch = next_batch();
    gradient.add(tensors_of(batch, model_.decoder->embedding().device()));
  }
  communicator_.sum(update_.gradients().dense());

  const double loss = gradient.loss();
  const auto [norms, skipped] = update_.finish(plan.lr, loss, [&] { model_.decoder->commit(gradient.stats()); });
  stats_ = gradient.stats();
  StepReport report{.loss = loss,
                    .aux_loss = gradient.aux_loss(),
                    .z_loss = gradient.z_loss(),
                    .lr = plan.lr,
                    .grad_norm = norms.dense,
                    .table_grad_norm = norms.tables,
                    .skipped = skipped};
  for (const auto& table : update_.gradients().tables()) report.rows_touched += table->size();
  return report;
}

NamedTensors TrainingStep::named_tensors() const {
  NamedTensors all = parameters_.named_tensors();
  for (auto& moment : update_.named_tensors()) all.push_back(std::move(moment));
  return all;
}

}  // namespace peerless
