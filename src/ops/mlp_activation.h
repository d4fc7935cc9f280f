// mlp_activation without autograd, for operators that have the activation inside.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/ops/activation.h"

namespace peerless {

// gate is undefined where the activation is not gated; all are contiguous, of one shape and dtype.
at::Tensor activate(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up);

struct ActivationGrads {
  at::Tensor gate, up;  // gate: undefined where the activation is not gated
};
ActivationGrads activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                                     const at::Tensor& grad_h);

}  // namespace peerless
