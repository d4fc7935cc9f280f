#include "src/ops/kernels/mlp_activation.h"

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
PEERLESS_CLONES void mlp_activation_forward(DenseActivation activation, const T* gate, const T* up, T* h,
                                            std::int64_t first, std::int64_t last) {
  switch (activation) {
    case DenseActivation::gelu:
#pragma omp simd
      for (std::int64_t i = first; i < last; ++i) h[i] = up[i] * normal_below(up[i]);
      return;
    case DenseActivation::relu2:
      for (std::int64_t i = first; i < last; ++i) h[i] = up[i] <= 0 ? 0 : up[i] * up[i];  // keeps what is no number
      return;
    case DenseActivation::swiglu:
#pragma omp simd
      for (std::int64_t i = first; i < last; ++i) h[i] = gate[i] * sigmoid(gate[i]) * up[i];
      return;
    case DenseActivation::geglu:
#pragma omp simd
      for (std::int64_t i = first; i < last; ++i) h[i] = gate[i] * normal_below(gate[i]) * up[i];
  }
}

template <class T>
PEERLESS_CLONES void mlp_activation_backward(DenseActivation activation, const T* gate, const T* up, const T* grad_h,
                                             T* grad_gate, T* grad_up, std::int64_t first, std::int64_t last) {
  switch (activation) {
    case DenseActivation::gelu:
#pragma omp simd
      for (std::int64_t i = first; i < last; ++i)
        grad_up[i] = grad_h[i] * (normal_below(up[i]) + up[i] * normal_density(up[i]));
      return;
    case DenseActivation::relu2:
      for (std::int64_t i = first; i < last; ++i) grad_up[i] = up[i] <= 0 ? 0 : grad_h[i] * 2 * up[i];
      return;
    case DenseActivation::swiglu:
#pragma omp simd
      for (std::int64_t i = first; i < last; ++i) {
        const T open = sigmoid(gate[i]);
        const T silu = gate[i] * open;
        const T grad = grad_h[i];
        grad_up[i] = grad * silu;
        grad_gate[i] = grad * up[i] * (open + silu * (1 - open));
      }
      return;
    case DenseActivation::geglu:
#pragma omp simd
      for (std::int64_t i = first; i < last; ++i) {
        const T below = normal_below(gate[i]);
        const T grad = grad_h[i];
        grad_up[i] = grad * gate[i] * below;
        grad_gate[i] = grad * up[i] * (below + gate[i] * normal_density(gate[i]));
      }
  }
}

#define PEERLESS_INSTANTIATE(T)                                                                              \
  template void mlp_activation_forward(DenseActivation, const T*, const T*, T*, std::int64_t, std::int64_t); \
  template void mlp_activation_backward(DenseActivation, const T*, const T*, const T*, T*, T*, std::int64_t, \
                                        std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
