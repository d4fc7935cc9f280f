#include "src/ops/kernels/swiglu.h"

#include "src/ops/kernels/exp.h"
#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {
namespace {

template <class T>
PEERLESS_INLINE T sigmoid(T x) {
  const T e = exp_of_minus_abs(x);
  return (x < 0 ? e : 1) / (1 + e);
}

}  // namespace

template <class T>
PEERLESS_CLONES void swiglu_forward(const T* gate, const T* up, T* y, std::int64_t first, std::int64_t last) {
#pragma omp simd
  for (std::int64_t i = first; i < last; ++i) y[i] = gate[i] * sigmoid(gate[i]) * up[i];
}

template <class T>
PEERLESS_CLONES void swiglu_backward(const T* gate, const T* up, const T* grad_y, T* grad_gate, T* grad_up,
                                     std::int64_t first, std::int64_t last) {
#pragma omp simd
  for (std::int64_t i = first; i < last; ++i) {
    const T open = sigmoid(gate[i]);
    const T silu = gate[i] * open;
    grad_up[i] = grad_y[i] * silu;
    grad_gate[i] = grad_y[i] * up[i] * (open + silu * (1 - open));
  }
}

#define PEERLESS_INSTANTIATE(T)                                                     \
  template void swiglu_forward(const T*, const T*, T*, std::int64_t, std::int64_t); \
  template void swiglu_backward(const T*, const T*, const T*, T*, T*, std::int64_t, std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
