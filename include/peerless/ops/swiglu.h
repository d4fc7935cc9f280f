// The gate of a SwiGLU block: y = silu(gate) * up, with silu(g) = g / (1 + exp(-g)).
//
// Shapes     gate and up of one shape and dtype -> y
// Gradients  of both, recomputing the sigmoid rather than keeping it
// Source     Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);

namespace plain {
// The same by ATen operators, on any device.
at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up);
}  // namespace plain

}  // namespace peerless
