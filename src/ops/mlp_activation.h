// mlp_activation without autograd, for operators that have the activation inside.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/ops/activation.h"

namespace peerless {

// All write into what is handed in for it. Gates are undefined where the activation is not gated; all are contiguous,
// of one shape and dtype; grad_weight may be wider.
void activate(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& h);
void activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                          const at::Tensor& grad_h, const at::Tensor& grad_gate, const at::Tensor& grad_up);

// The same for rows [n, width] of weight * h, weights [n]: what the rows are again, in `h`, and also the weights'
// gradients [n]. Overwrites grad_h. One thread.
void weighted_activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                                   const at::Tensor& weight, const at::Tensor& grad_h, const at::Tensor& h,
                                   const at::Tensor& grad_gate, const at::Tensor& grad_up,
                                   const at::Tensor& grad_weight);

}  // namespace peerless
