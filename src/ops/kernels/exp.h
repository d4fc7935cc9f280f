// Exponentials and the error function as plain arithmetic, so that compilers make vector code of loops that call them.
#pragma once

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {

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

// In float within two units of the last place, as a pair of polynomials (of erf itself near 0, of ln(1 - erf) beyond);
// in double libm's.
PEERLESS_INLINE float erf(float x) {
  const float t = std::abs(x), s = x * x;
  float beyond = -1.72853470e-5F * t + 3.83197126e-4F;
  beyond = beyond * s + (-3.88396438e-3F * t + 2.42546219e-2F);
  beyond = beyond * t - 1.06777877e-1F;
  beyond = beyond * t - 6.34846687e-1F;
  beyond = beyond * t - 1.28717512e-1F;
  beyond = 1 - exp_of_minus_abs(beyond * t - t);
  float near = -5.96761703e-4F;
  near = near * s + 4.99119423e-3F;
  near = near * s - 2.67681349e-2F;
  near = near * s + 1.12819925e-1F;
  near = near * s - 3.76125336e-1F;
  near = near * s + 1.28379166e-1F;
  return t > 0.927734375F ? std::copysign(beyond, x) : near * x + x;
}
PEERLESS_INLINE double erf(double x) { return std::erf(x); }

// The normal distribution: its function and its density.
template <class T>
PEERLESS_INLINE T normal_below(T x) {
  return (1 + erf(x * T(M_SQRT1_2))) / 2;
}
template <class T>
PEERLESS_INLINE T normal_density(T x) {
  return exp_of_minus_abs(x * x / 2) * T(M_2_SQRTPI * M_SQRT1_2 / 2);
}

}  // namespace peerless::kernels
