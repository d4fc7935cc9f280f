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

// Of weight * h, with a weight for each row: also that output again and the gradients of the weights [rows].
template <class T>
void weighted_mlp_activation_backward(DenseActivation activation, const T* gate, const T* up, const T* grad_h,
                                      const T* weight, T* h, T* grad_gate, T* grad_up, T* grad_weight,
                                      std::int64_t rows, std::int64_t width);

}  // namespace peerless::kernels
