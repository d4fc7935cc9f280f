// RMS norm over the last dimension.
//
//   y = x * r * weight        r = 1 / sqrt(mean(x^2) + eps)
//
// Shapes     x [..., d], weight [d] -> y [..., d] in x's dtype; computed in weight's dtype, float or double
// Gradients  of x and weight; what forward keeps beside x is r, one number a row
// Threads    all of ATen's; the weight's gradient is added over blocks of 64 rows, and the blocks in order: the same
//            bits with any number of threads
// Source     Zhang & Sennrich 2019, "Root Mean Square Layer Normalization", arXiv:1910.07467
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);

namespace plain {
// The same by ATen operators, on any device.
at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps);
}  // namespace plain

}  // namespace peerless
