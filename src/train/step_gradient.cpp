#include "peerless/train/step_gradient.h"

namespace peerless {

StepGradient::StepGradient(LanguageModel& model, std::int64_t targets, std::int64_t micro_batches, SumOrder order)
    : model_(model),
      targets_(static_cast<double>(targets)),
      micro_batches_(static_cast<double>(micro_batches)),
      sums_(order) {}

void StepGradient::add(const BatchTensors& batch, bool stands_in) {
  auto decoded = model_.decoder->forward(batch.inputs);
  const auto head = model_.head->loss(decoded.hidden, batch.targets, batch.mask);
  auto objective = head.loss / targets_;
  Stats sums = std::move(decoded.stats);
  sums.set("loss", head.cross_entropy);
  sums.set("z_loss", head.z_loss);
  sums.set("stand_ins", at::full_like(head.z_loss, stands_in ? 1 : 0));
  if (decoded.aux_loss.defined()) {
    objective = objective + decoded.aux_loss / micro_batches_;
    sums.set("aux_loss", decoded.aux_loss.detach().to(at::kDouble));
  }
  objective.backward();
  sums_.add(std::move(sums));
}

StepMeans StepGradient::means(Communicator& communicator) {
  Stats sums = sum(communicator, sums_.total());
  const auto mean = [&](std::string_view name, double count) { return sums.at(name).item<double>() / count; };
  StepMeans means{.loss = mean("loss", targets_), .z_loss = mean("z_loss", targets_)};
  means.complete = mean("stand_ins", 1) == 0;
  if (sums.contains("aux_loss")) means.aux_loss = mean("aux_loss", micro_batches_);
  means.stats = std::move(sums);
  return means;
}

}  // namespace peerless
