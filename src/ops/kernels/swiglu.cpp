#include "src/ops/kernels/swiglu.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {
namespace {

// What the exponential needs to know of a type. The high part of ln 2 has so few bits that its multiples are exact.
template <class T>
struct Float;
template <>
struct Float<float> {
  using Integer = std::int32_t;
  static constexpr Integer kExponentBias = 127, kMantissaBits = 23;
  static constexpr float kLn2High = 0x1.63p-1F, kLn2Low = -0x1.bd0106p-13F;
  static constexpr float kMost = 87;  // e^-kMost is still a normal number
  static constexpr int kTerms = 7;
};
template <>
struct Float<double> {
  using Integer = std::int64_t;
  static constexpr Integer kExponentBias = 1023, kMantissaBits = 52;
  static constexpr double kLn2High = 0x1.62e42feep-1, kLn2Low = 0x1.a39ef35793c76p-33;
  static constexpr double kMost = 708;
  static constexpr int kTerms = 13;
};

// e^r = 1 + r (1 + r/2 (1 + r/3 (1 + ...)))
template <class T, int kTerm = 1>
PEERLESS_INLINE T taylor(T r) {
  if constexpr (kTerm > Float<T>::kTerms) {
    return 1;
  } else {
    return 1 + r * (T(1) / kTerm) * taylor<T, kTerm + 1>(r);
  }
}

// e^-|x|, at least e^-kMost. |x| = n ln 2 - r with |r| <= ln 2 / 2. Bounded as an integer (of numbers that are not
// negative the order is the same), because compilers split loops at a bound of floats.
template <class T>
PEERLESS_INLINE T exp_of_minus_abs(T x) {
  using F = Float<T>;
  using Integer = typename F::Integer;
  const T z = std::bit_cast<T>(std::min(std::bit_cast<Integer>(std::abs(x)), std::bit_cast<Integer>(F::kMost)));
  const T n = std::floor(z * T(M_LOG2E) + T(0.5));
  const T r = n * F::kLn2High - z + n * F::kLn2Low;
  return taylor(r) * std::bit_cast<T>((F::kExponentBias - static_cast<Integer>(n)) << F::kMantissaBits);
}

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
