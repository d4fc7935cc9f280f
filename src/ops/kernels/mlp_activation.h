// Kernels of mlp_activation (peerless/ops/mlp_activation.h), over elements [first, last). Where the activation is not
// gated, `gate` and `grad_gate` are not looked at.
#pragma once

#include <cstdint>

#include "peerless/ops/activation.h"

namespace peerless::kernels {

template <class T>
void mlp_activation_forward(DenseActivation activation, const T* gate, const T* up, T* h, std::int64_t first,
                            std::int64_t last);

template <class T>
void mlp_activation_backward(DenseActivation activation, const T* gate, const T* up, const T* grad_h, T* grad_gate,
                             T* grad_up, std::int64_t first, std::int64_t last);

// Backward of out = weight * h, rows of `width` elements with a weight each: `out` again, and the three gradients.
template <class T>
void weighted_mlp_activation_backward(DenseActivation activation, const T* gate, const T* up, const T* grad_out,
                                      const T* weight, T* out, T* grad_gate, T* grad_up, T* grad_weight,
                                      std::int64_t rows, std::int64_t width);

}  // namespace peerless::kernels
