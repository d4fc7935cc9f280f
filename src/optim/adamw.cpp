#include "peerless/optim/adamw.h"

#include <optional>

#include "peerless/params/huge_pages.h"

namespace peerless {

AdamW::AdamW(const std::vector<Parameter>& parameters, const AdamWConfig& config)
    : config_(config),
      groups_{{config.weight_decay, {}, {}, {}}, {0, {}, {}, {}}},
      num_updates_(at::zeros({}, at::kLong)) {
  for (const auto& parameter : parameters) {
    const auto zeros = [&] {
      return huge_zeros(parameter.tensor.sizes(), parameter.tensor.options().requires_grad(false));
    };
    const auto first = zeros(), second = zeros();
    moments_.emplace_back("optim.first." + parameter.name, first);
    moments_.emplace_back("optim.second." + parameter.name, second);
    if (parameter.rows) {
      tables_.push_back({parameter.name, parameter.tensor, first, second, parameter.rows});
      continue;
    }
    Group& group = groups_[parameter.role == Role::matrix ? 0 : 1];
    group.weights.push_back(parameter.tensor);
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
    if (group.weights.empty()) continue;
    std::vector<at::Tensor> grads;
    for (const auto& weight : group.weights) grads.push_back(weight.grad());
    const auto device = group.weights.front().device();
    const std::vector<at::Tensor> steps(group.weights.size(), num_updates_.to(at::kFloat).to(device));
    std::optional<at::Tensor> scale;  // the kernel divides gradients by it; without one it is a pass cheaper
    if (clip != 1) scale = at::full({}, 1 / clip, at::TensorOptions(at::kFloat).device(device));
    at::_fused_adamw_(group.weights, grads, group.first, group.second, /*max_exp_avg_sqs=*/{}, steps, lr,
                      config_.betas[0], config_.betas[1], group.weight_decay, config_.eps, /*amsgrad=*/false,
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
  for (const auto& table : tables_) row_adamw(table.weight, table.first, table.second, *table.rows, options);
}

NamedTensors AdamW::named_tensors() const {
  NamedTensors all{{"optim.num_updates", num_updates_}};
  all.insert(all.end(), moments_.begin(), moments_.end());
  return all;
}

}  // namespace peerless
