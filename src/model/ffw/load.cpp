#include "peerless/model/ffw/load.h"

#include <torch/types.h>

#include <cmath>

namespace peerless {

at::Tensor count_load(const at::Tensor& ids, const at::Tensor& counted, std::int64_t num_experts) {
  const auto one = counted.defined() ? counted.view({-1, 1}).expand_as(ids).to(at::kLong) : at::ones_like(ids);
  return at::zeros({num_experts}, ids.options()).index_add_(0, ids.flatten(), one.flatten());
}

Figures load_figures(const at::Tensor& load) {
  const auto total = load.sum().item<double>();
  if (total == 0) return {};
  const auto shares = load.to(at::kDouble) / total;
  const auto experts = static_cast<double>(load.numel());
  const double entropy = -at::xlogy(shares, shares).sum().item<double>();
  return {{"load_max", shares.max().item<double>() * experts},
          {"load_entropy", load.numel() == 1 ? 1 : entropy / std::log(experts)},
          {"load_unused", load.eq(0).to(at::kDouble).mean().item<double>()}};
}

}  // namespace peerless
