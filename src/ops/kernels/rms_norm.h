// Kernels of rms_norm (peerless/ops/rms_norm.h).
#pragma once

#include <cstdint>

namespace peerless::kernels {

template <class T>
struct RmsNorm {
  std::int64_t d;
  T eps;
  const T* x;       // [rows, d]
  const T* weight;  // [d]
  T* inverse_rms;   // [rows]: written by forward, read by backward
};

// y of rows [first, last).
template <class T>
void rms_norm_forward(const RmsNorm<T>& norm, T* y, std::int64_t first, std::int64_t last);

// The gradient of x of rows [first, last); adds what they give to that of the weight [d].
template <class T>
void rms_norm_backward(const RmsNorm<T>& norm, const T* grad_y, T* grad_x, T* grad_weight, std::int64_t first,
                       std::int64_t last);

}  // namespace peerless::kernels
