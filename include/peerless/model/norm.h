// RMS norm: y = x / sqrt(mean(x^2) + eps) * w over the last dimension, in fp32 whatever x is.
//
// Source   Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467
#pragma once

#include "peerless/ops/rms_norm.h"
#include "peerless/params/module.h"

namespace peerless {

class RmsNorm final : public Module {
 public:
  RmsNorm(std::int64_t width, double eps, at::TensorOptions options, double start = 1)
      : Module(options), eps_(eps), weight_(make_parameter("weight", {width}, Role::vector, Init::constant(start))) {}

  at::Tensor forward(const at::Tensor& x) const { return rms_norm(x, weight_, eps_); }

 private:
  double eps_;
  at::Tensor weight_;
};

}  // namespace peerless
