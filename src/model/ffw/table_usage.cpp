#include "peerless/model/ffw/table_usage.h"

#include <torch/types.h>

#include <cmath>

namespace peerless {
namespace {

double usage(const at::Tensor& sums) { return sums.gt(0).to(at::kDouble).mean().item<double>(); }

// KL(z || uniform) = log N + sum z log z; without any weight, as far as can be from uniform: log N.
double unevenness(const at::Tensor& sums) {
  const auto total = sums.sum();
  const auto z = at::where(total > 0, sums / total, at::zeros_like(sums));
  return std::log(static_cast<double>(z.numel())) + at::xlogy(z, z).sum().item<double>();
}

}  // namespace

void count_usage(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& counted, std::int64_t rows,
                 Stats& stats) {
  const auto one = at::ones_like(weights, at::kDouble) * counted.view({-1, 1});
  const auto sum_by_row = [&](const at::Tensor& value) {
    return at::zeros({rows}, value.options()).index_add_(0, ids.flatten(), value.flatten());
  };
  stats.set("count", sum_by_row(one));
  stats.set("weight", sum_by_row(one * weights.detach()));
}

Figures usage_figures(const Stats& stats) {
  if (!stats.contains("count")) return {};
  const auto &weight = stats.at("weight"), &count = stats.at("count");
  return {{"usage", usage(weight)},
          {"unevenness", unevenness(weight)},
          {"usage_by_count", usage(count)},
          {"unevenness_by_count", unevenness(count)}};
}

}  // namespace peerless
