#include "peerless/optim/adamw.h"

#include <optional>

namespace peerless {

AdamW::AdamW(const std::vector<Owned>& parts, const AdamWConfig& config)
    : config_(config),
      groups_{{config.weight_decay, {}, {}, {}}, {0, {}, {}, {}}},
      num_updates_(at::zeros({}, at::kLong)) {
  for (const auto& part : parts) {
    const auto first = part.zeros(), second = part.zeros();
    moments_.push_back(part.named("optim.first.", first));
    moments_.push_back(part.named("optim.second.", second));
    if (part.rows) {
      tables_.push_back({part, first, second});
      continue;
    }
    Group& group = groups_[part.parameter.role == Role::matrix ? 0 : 1];
    group.parts.push_back(part);
    group.first.push_back(first);
    group.second.push_back(second);
  }
}

void AdamW::step(double lr, const GradNorms& norms) {
  const torch::NoGradGuard no_grad;
  num_updates_.add_(1);
  step_dense(lr, clip_factor(norms.dense, config_.grad_clip));
  step_tables(lr * config_.tables.lr_multiplier, clip_factor(norms.tables, config_.tables.grad_clip));
}

void AdamW::step_dense(double lr, double clip) {
  for (const auto& group : groups_) {
    if (group.parts.empty()) continue;
    std::vector<at::Tensor> weights, grads;
    for (const auto& part : group.parts) {
      weights.push_back(part.piece_of(part.parameter.tensor));
      grads.push_back(part.piece_of(part.parameter.tensor.grad()));
    }
    const auto device = weights.front().device();
    const std::vector<at::Tensor> steps(weights.size(), num_updates_.to(at::kFloat).to(device));
    std::optional<at::Tensor> scale;  // the kernel divides gradients by it; without one it is a pass cheaper
    if (clip != 1) scale = at::full({}, 1 / clip, at::TensorOptions(at::kFloat).device(device));
    at::_fused_adamw_(weights, grads, group.first, group.second, /*max_exp_avg_sqs=*/{}, steps, lr, config_.betas[0],
                      config_.betas[1], group.weight_decay, config_.eps, /*amsgrad=*/false,
                      /*maximize=*/false, scale);
  }
}

void AdamW::step_tables(double lr, double clip) {
  const RowAdamW options{.update = config_.tables.update,
                         .lr = lr,
                         .beta1 = config_.betas[0],
                         .beta2 = config_.betas[1],
                         .eps = config_.eps,
                         .weight_decay = config_.tables.weight_decay,
                         .grad_scale = clip,
                         .step = num_updates_.item<std::int64_t>()};
  for (const auto& [part, first, second] : tables_)
    row_adamw(part.piece_of(part.parameter.tensor), first, second, *part.rows, options);
}

NamedTensors AdamW::named_tensors() const {
  NamedTensors all{{"optim.num_updates", num_updates_}};
  all.insert(all.end(), moments_.begin(), moments_.end());
  return all;
}

}  // namespace peerless
