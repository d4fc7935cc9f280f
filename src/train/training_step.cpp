#include "peerless/train/training_step.h"

#include "peerless/train/step_gradient.h"

namespace peerless {

TrainingStep::TrainingStep(LanguageModel& model, const OptimConfig& config, Communicator& communicator, SumOrder order)
    : model_(model),
      communicator_(communicator),
      order_(order),
      parameters_(model),
      update_(parameters_, config),
      reduction_(update_.gradients(), communicator, order) {}

StepReport TrainingStep::run(const StepPlan& plan, const std::function<Batch()>& next_batch) {
  update_.begin();
  StepGradient gradient(model_, plan.targets, plan.micro_batches, order_);
  reduction_.run(plan.micro_batches_here, [&] {
    const Batch batch = next_batch();
    gradient.add(tensors_of(batch, model_.decoder->embedding().device()));
  });

  StepMeans means = gradient.means(communicator_);
  const auto [norms, skipped] = update_.finish(plan.lr, means.loss, [&] { model_.decoder->commit(means.stats); });
  StepReport report{.loss = means.loss,
                    .aux_loss = means.aux_loss,
                    .z_loss = means.z_loss,
                    .lr = plan.lr,
                    .grad_norm = norms.dense,
                    .table_grad_norm = norms.tables,
                    .skipped = skipped};
  for (const auto& table : update_.gradients().tables()) report.rows_touched += table->size();
  stats_ = std::move(means.stats);
  return report;
}

NamedTensors TrainingStep::named_tensors() const {
  NamedTensors all = parameters_.named_tensors();
  for (auto& moment : update_.named_tensors()) all.push_back(std::move(moment));
  return all;
}

}  // namespace peerless
