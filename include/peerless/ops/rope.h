// Rotary position embedding in the half-split layout: element i of a head pairs with element i + d/2.
//
//   (a, b) -> (a cos - b sin, b cos + a sin)
//
// Shapes     x [B, T, H, d], cos and sin [T, d/2], of the T positions -> the shape and dtype of x
// Precision  computed in the dtype of cos and sin (float or double) and rounded to x's once
// Gradients  of x: the rotation back. cos and sin are constants.
// Source     Su et al. 2021, "RoFormer", arXiv:2104.09864
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);

namespace plain {
// The same by ATen operators, on any device.
at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin);
}  // namespace plain

}  // namespace peerless
