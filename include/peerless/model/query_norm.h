// The norm on top of the query network of product-key blocks.
//
//   batch   (q - mean) / sqrt(variance + eps) * weight + bias, per column: over the tokens of the micro-batch in
//           training; in evaluation with running moments, into which each step's mean of first and second moments
//           enters once, at commit(). They start at zero and are corrected for it, so one step already evaluates
//           rightly; before the first step they count as mean 0 and variance 1. Moments are fp64: the variance is a
//           difference of them.
//   rms     q / sqrt(mean over a head's query of q^2 + eps) * weight
//   none    q
//
// Shapes   q [tokens, heads, d_key] -> the same; weight, bias, moments [heads * d_key]
// Source   Lample et al. 2019, arXiv:1907.05242, section 3.2 (batch norm spreads the use of keys)
#pragma once

#include <array>
#include <string_view>

#include "peerless/model/stats.h"
#include "peerless/params/module.h"

namespace peerless {

enum class QueryNormKind { batch, rms, none };
constexpr std::array<std::string_view, 3> enum_names(QueryNormKind) { return {"batch", "rms", "none"}; }

class QueryNorm final : public Module {
 public:
  QueryNorm(QueryNormKind kind, std::int64_t heads, std::int64_t d_key, at::TensorOptions options);

  at::Tensor forward(const at::Tensor& queries, Stats& stats) const;
  void commit(const Stats& stats);

  static std::int64_t num_parameters(QueryNormKind kind, std::int64_t heads, std::int64_t d_key);

 private:
  at::Tensor by_batch(const at::Tensor& queries, Stats& stats) const;  // [tokens, heads * d_key]
  at::Tensor by_running_moments(const at::Tensor& queries) const;

  QueryNormKind kind_;
  at::Tensor weight_, bias_;
  at::Tensor running_mean_, running_square_, num_commits_;
};

}  // namespace peerless
