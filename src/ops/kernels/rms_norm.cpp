#include "src/ops/kernels/rms_norm.h"

#include <cmath>

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {

template <class T>
PEERLESS_CLONES void rms_norm_forward(const RmsNorm<T>& norm, T* y, std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first; row < last; ++row) {
    const T* const x = norm.x + row * norm.d;
    T* const out = y + row * norm.d;
    const T inverse = 1 / std::sqrt(dot(x, x, norm.d) / static_cast<T>(norm.d) + norm.eps);
    norm.inverse_rms[row] = inverse;
#pragma omp simd
    for (std::int64_t i = 0; i < norm.d; ++i) out[i] = x[i] * inverse * norm.weight[i];
  }
}

template <class T>
PEERLESS_CLONES void rms_norm_backward(const RmsNorm<T>& norm, const T* grad_y, T* grad_x, T* grad_weight,
                                       std::int64_t first, std::int64_t last) {
  for (std::int64_t row = first; row < last; ++row) {
    const T* const x = norm.x + row * norm.d;
    const T* const grad = grad_y + row * norm.d;
    T* const out = grad_x + row * norm.d;
    const T inverse = norm.inverse_rms[row];
    T along = 0;  // the part of the gradient along x, which the norm takes out
#pragma omp simd reduction(+ : along)
    for (std::int64_t i = 0; i < norm.d; ++i) along += grad[i] * norm.weight[i] * x[i];
    along *= inverse * inverse / static_cast<T>(norm.d);
#pragma omp simd
    for (std::int64_t i = 0; i < norm.d; ++i) {
      out[i] = inverse * (grad[i] * norm.weight[i] - along * x[i]);
      grad_weight[i] += grad[i] * x[i] * inverse;
    }
  }
}

#define PEERLESS_INSTANTIATE(T)                                                      \
  template void rms_norm_forward(const RmsNorm<T>&, T*, std::int64_t, std::int64_t); \
  template void rms_norm_backward(const RmsNorm<T>&, const T*, T*, T*, std::int64_t, std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
