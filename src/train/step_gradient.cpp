#include "peerless/train/step_gradient.h"

namespace peerless {

StepGradient::StepGradient(LanguageModel& model, std::int64_t targets, std::int64_t micro_batches)
    : model_(model), targets_(static_cast<double>(targets)), micro_batches_(static_cast<double>(micro_batches)) {
  const auto options = at::TensorOptions(model.decoder->embedding().device()).dtype(at::kDouble);
  for (auto* const sum : {&loss_, &z_loss_}) *sum = at::zeros({}, options);
}

void StepGradient::add(const BatchTensors& batch) {
  const auto decoded = model_.decoder->forward(batch.inputs);
  const auto head = model_.head->loss(decoded.hidden, batch.targets, batch.mask);
  auto objective = head.loss / targets_;
  if (decoded.aux_loss.defined()) {
    objective = objective + decoded.aux_loss / micro_batches_;
    const auto value = decoded.aux_loss.detach().to(at::kDouble);
    aux_loss_ = aux_loss_.defined() ? aux_loss_ + value : value;
  }
  objective.backward();
  loss_ += head.cross_entropy;
  z_loss_ += head.z_loss;
  stats_.add(decoded.stats);
}

std::optional<double> StepGradient::aux_loss() const {
  if (!aux_loss_.defined()) return std::nullopt;
  return aux_loss_.item<double>() / micro_batches_;
}

}  // namespace peerless
