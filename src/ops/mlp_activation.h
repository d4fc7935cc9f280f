// mlp_activation without autograd, for operators that have the activation inside.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/ops/activation.h"

namespace peerless {

// Both write into what is handed in for it. Gates are undefined where the activation is not gated; all are contiguous,
// of one shape and dtype.
void activate(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& h);
void activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                          const at::Tensor& grad_h, const at::Tensor& grad_gate, const at::Tensor& grad_up);

}  // namespace peerless
