// What stands between the matrices of a dense block: up (and gate) to hidden.
//
//   gelu     h = gelu(up)            gelu(s) = s/2 (1 + erf(s / sqrt 2)), the exact form
//   relu2    h = max(up, 0)^2
//   swiglu   h = silu(gate) * up     silu(s) = s / (1 + exp(-s))
//   geglu    h = gelu(gate) * up
//
// Shapes     gate and up of one shape and dtype -> h; gate is undefined where the activation is not gated
// Gradients  of both, recomputing the activation rather than keeping it
// Source     Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202; relu2: So et al. 2021,
//            arXiv:2109.08668
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/ops/activation.h"

namespace peerless {

at::Tensor mlp_activation(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up);

namespace plain {
// The same by ATen operators, on any device.
at::Tensor mlp_activation(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up);
}  // namespace plain

}  // namespace peerless
