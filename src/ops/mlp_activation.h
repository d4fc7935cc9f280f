// mlp_activation without autograd, for operators that have the activation inside.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/ops/activation.h"

namespace peerless {

// All write into what is handed in for it. Gates are undefined where the activation is not gated; all are contiguous,
// of one shape and dtype.
void activate(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& h);
void activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                          const at::Tensor& grad_h, const at::Tensor& grad_gate, const at::Tensor& grad_up);

// Backward of out = weight * h, rows [n, width] and a weight [n] for each: `out` again, and the gradients of gate, up
// and weight; the last may be of a wider dtype. May overwrite grad_out. For callers that share out the rows themselves.
void weighted_activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                                   const at::Tensor& weight, const at::Tensor& grad_out, const at::Tensor& out,
                                   const at::Tensor& grad_gate, const at::Tensor& grad_up,
                                   const at::Tensor& grad_weight);

}  // namespace peerless
