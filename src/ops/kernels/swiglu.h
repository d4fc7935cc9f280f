// Kernels of swiglu (peerless/ops/swiglu.h), over elements [first, last).
#pragma once

#include <cstdint>

namespace peerless::kernels {

template <class T>
void swiglu_forward(const T* gate, const T* up, T* y, std::int64_t first, std::int64_t last);

template <class T>
void swiglu_backward(const T* gate, const T* up, const T* grad_y, T* grad_gate, T* grad_up, std::int64_t first,
                     std::int64_t last);

}  // namespace peerless::kernels
