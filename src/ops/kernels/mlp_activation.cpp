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

// h of one gate and up, and its derivatives.
template <class T>
struct Differential {
  T h, by_gate, by_up;
};

template <DenseActivation activation, class T>
PEERLESS_INLINE Differential<T> differentiate(const T* gates, const T* ups, std::int64_t i) {
  const T up = ups[i];
  if constexpr (activation == DenseActivation::gelu) {
    const T below = normal_below(up);
    return {up * below, 0, below + up * normal_density(up)};
  } else if constexpr (activation == DenseActivation::relu2) {
    return {up <= 0 ? 0 : up * up, 0, up <= 0 ? 0 : 2 * up};
  } else if constexpr (activation == DenseActivation::swiglu) {
    const T gate = gates[i], open = sigmoid(gate), silu = gate * open;
    return {silu * up, up * (open + silu * (1 - open)), silu};
  } else {
    const T gate = gates[i], below = normal_below(gate), gelu = gate * below;
    return {gelu * up, up * (below + gate * normal_density(gate)), gelu};
  }
}

// work.operator()<activation>()
template <class Work>
PEERLESS_INLINE void dispatch(DenseActivation activation, const Work& work) {
  switch (activation) {
    case DenseActivation::gelu:
      return work.template operator()<DenseActivation::gelu>();
    case DenseActivation::relu2:
      return work.template operator()<DenseActivation::relu2>();
    case DenseActivation::swiglu:
      return work.template operator()<DenseActivation::swiglu>();
    case DenseActivation::geglu:
      return work.template operator()<DenseActivation::geglu>();
  }
}

}  // namespace

template <class T>
PEERLESS_CLONES void mlp_activation_forward(DenseActivation activation, const T* gate, const T* up, T* h,
                                            std::int64_t first, std::int64_t last) {
  dispatch(activation, [=]<DenseActivation a>() PEERLESS_ALWAYS_INLINE {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) h[i] = differentiate<a>(gate, up, i).h;
  });
}

template <class T>
PEERLESS_CLONES void mlp_activation_backward(DenseActivation activation, const T* gate, const T* up, const T* grad_h,
                                             T* grad_gate, T* grad_up, std::int64_t first, std::int64_t last) {
  dispatch(activation, [=]<DenseActivation a>() PEERLESS_ALWAYS_INLINE {
#pragma omp simd
    for (std::int64_t i = first; i < last; ++i) {
      const auto d = differentiate<a>(gate, up, i);
      const T grad = grad_h[i];
      if constexpr (gated(a)) grad_gate[i] = grad * d.by_gate;
      grad_up[i] = grad * d.by_up;
    }
  });
}

template <class T>
PEERLESS_CLONES void weighted_mlp_activation_backward(DenseActivation activation, const T* gate, const T* up,
                                                      const T* grad_out, const T* weight, T* out, T* grad_gate,
                                                      T* grad_up, T* grad_weight, std::int64_t rows,
                                                      std::int64_t width) {
  dispatch(activation, [=]<DenseActivation a>() PEERLESS_ALWAYS_INLINE {
    for (std::int64_t row = 0; row < rows; ++row) {
      const T w = weight[row];
      T sum = 0;
#pragma omp simd reduction(+ : sum)
      for (std::int64_t i = row * width; i < (row + 1) * width; ++i) {
        const auto d = differentiate<a>(gate, up, i);
        const T grad = grad_out[i];
        sum += d.h * grad;
        out[i] = w * d.h;
        if constexpr (gated(a)) grad_gate[i] = w * grad * d.by_gate;
        grad_up[i] = w * grad * d.by_up;
      }
      grad_weight[row] = sum;
    }
  });
}

#define PEERLESS_INSTANTIATE(T)                                                                                       \
  template void mlp_activation_forward(DenseActivation, const T*, const T*, T*, std::int64_t, std::int64_t);          \
  template void mlp_activation_backward(DenseActivation, const T*, const T*, const T*, T*, T*, std::int64_t,          \
                                        std::int64_t);                                                                \
  template void weighted_mlp_activation_backward(DenseActivation, const T*, const T*, const T*, const T*, T*, T*, T*, \
                                                 T*, std::int64_t, std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
