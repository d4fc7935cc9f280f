#include "peerless/model/query_norm.h"

namespace peerless {
namespace {

constexpr double kEps = 1e-5;
constexpr double kMomentum = 0.1;  // share of the newest step in the running moments

}  // namespace

QueryNorm::QueryNorm(QueryNormKind kind, std::int64_t heads, std::int64_t d_key, at::TensorOptions options)
    : Module(options), kind_(kind) {
  const std::int64_t width = heads * d_key;
  if (kind == QueryNormKind::none) return;
  weight_ = make_parameter("weight", {width}, Role::vector, Init::constant(1));
  if (kind == QueryNormKind::rms) return;
  bias_ = make_parameter("bias", {width}, Role::vector, Init::constant(0));
  running_mean_ = make_buffer("running_mean", at::zeros({width}, options.dtype(at::kDouble)));
  running_square_ = make_buffer("running_square", at::zeros({width}, options.dtype(at::kDouble)));
  num_commits_ = make_buffer("num_commits", at::zeros({}, options.dtype(at::kLong)));
}

std::int64_t QueryNorm::num_parameters(QueryNormKind kind, std::int64_t heads, std::int64_t d_key) {
  switch (kind) {
    case QueryNormKind::batch:
      return 2 * heads * d_key;
    case QueryNormKind::rms:
      return heads * d_key;
    case QueryNormKind::none:
      return 0;
  }
  return 0;
}

at::Tensor QueryNorm::forward(const at::Tensor& queries, Stats& stats) const {
  switch (kind_) {
    case QueryNormKind::none:
      return queries;
    case QueryNormKind::rms:
      return queries * (queries.square().mean(-1, /*keepdim=*/true) + kEps).rsqrt() *
             weight_.view(queries.sizes().slice(1));
    case QueryNormKind::batch: {
      const auto flat = queries.flatten(1);
      return (is_training() ? by_batch(flat, stats) : by_running_moments(flat)).view_as(queries);
    }
  }
  TORCH_CHECK(false, "unknown query norm");
}

at::Tensor QueryNorm::by_batch(const at::Tensor& queries, Stats& stats) const {
  const auto [normalized, mean, inverse_std] =
      at::native_batch_norm(queries, weight_, bias_, {}, {}, /*training=*/true, /*momentum=*/0, kEps);
  const auto wide_mean = mean.detach().to(at::kDouble), wide_inverse = inverse_std.detach().to(at::kDouble);
  stats.set("query_mean", wide_mean);
  stats.set("query_square", wide_inverse.pow(-2) - kEps + wide_mean.square());
  stats.set("micro_batches", at::ones({}, queries.options()));
  return normalized;
}

at::Tensor QueryNorm::by_running_moments(const at::Tensor& queries) const {
  const auto seen = 1 - at::pow(1 - kMomentum, num_commits_.to(at::kDouble));  // how far from their zero start they are
  const auto correction = seen.clamp_min(kMomentum).reciprocal();
  const auto mean = running_mean_ * correction;
  const auto variance = (running_square_ * correction - mean.square()).clamp_min(0);
  const auto scale = at::where(num_commits_ > 0, variance, at::ones_like(variance)).add(kEps).rsqrt();
  const auto as_queries = [&](const at::Tensor& moments) { return moments.to(queries.scalar_type()); };
  return (queries - as_queries(mean)) * as_queries(scale) * weight_ + bias_;
}

void QueryNorm::commit(const Stats& stats) {
  if (kind_ != QueryNormKind::batch) return;
  const torch::NoGradGuard no_grad;
  const auto& count = stats.at("micro_batches");
  running_mean_.mul_(1 - kMomentum).add_(stats.at("query_mean") / count, kMomentum);
  running_square_.mul_(1 - kMomentum).add_(stats.at("query_square") / count, kMomentum);
  num_commits_.add_(1);
}

}  // namespace peerless
