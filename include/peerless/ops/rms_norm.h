// RMS norm: y = x / sqrt(mean(x^2) + eps) * weight, over the last dimension.
//
// Shapes     x [..., d], weight [d] -> [..., d] in x's dtype; the inside is in weight's dtype (fp32)
// Gradients  of x and weight
// Source     Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

}  // namespace peerless
