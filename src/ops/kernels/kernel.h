// What the inner loops share.
//
// The files of this folder know no torch: plain pointers come in, and the caller (src/ops/*.cpp) hands each thread its
// range. A function marked PEERLESS_CLONES is compiled for several generations of processors, and the loader picks one
// (kernel_generation() tells which); what it calls in its loops is marked PEERLESS_INLINE, or it would stay compiled
// for the oldest.
#pragma once

#include <cstdint>

#ifdef __SSE2__
#include <emmintrin.h>
#include <xmmintrin.h>
#endif

#if defined(__x86_64__) && defined(__GLIBC__) && defined(__GNUC__) && !defined(__clang__)
#define PEERLESS_HAS_CLONES
#define PEERLESS_CLONES __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#else
#define PEERLESS_CLONES
#endif
#define PEERLESS_ALWAYS_INLINE __attribute__((always_inline))  // of a lambda
#define PEERLESS_INLINE inline PEERLESS_ALWAYS_INLINE

namespace peerless::kernels {

// In four sums, of the quarters: a single one would wait for each addition.
template <class T>
PEERLESS_INLINE T dot(const T* a, const T* b, std::int64_t n) {
  const std::int64_t q = n / 4;
  T sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
  for (std::int64_t i = 0; i < q; ++i) {
    sum0 += a[i] * b[i];
    sum1 += a[i + q] * b[i + q];
    sum2 += a[i + 2 * q] * b[i + 2 * q];
    sum3 += a[i + 3 * q] * b[i + 3 * q];
  }
  for (std::int64_t i = 4 * q; i < n; ++i) sum0 += a[i] * b[i];
  return (sum0 + sum1) + (sum2 + sum3);
}

template <class T>
PEERLESS_INLINE double sum_of_squares(const T* values, std::int64_t n) {
  const auto square = [](T value) { return static_cast<double>(value) * static_cast<double>(value); };
  const std::int64_t q = n / 4;
  double sum0 = 0, sum1 = 0, sum2 = 0, sum3 = 0;
#pragma omp simd reduction(+ : sum0, sum1, sum2, sum3)
  for (std::int64_t i = 0; i < q; ++i) {
    sum0 += square(values[i]);
    sum1 += square(values[i + q]);
    sum2 += square(values[i + 2 * q]);
    sum3 += square(values[i + 3 * q]);
  }
  for (std::int64_t i = 4 * q; i < n; ++i) sum0 += square(values[i]);
  return (sum0 + sum1) + (sum2 + sum3);
}

// y += a x
template <class T>
PEERLESS_INLINE void add_scaled(T a, const T* x, T* y, std::int64_t n) {
#pragma omp simd
  for (std::int64_t i = 0; i < n; ++i) y[i] += a * x[i];
}

template <class T>
PEERLESS_INLINE void prefetch(const T* row, std::int64_t n) {
  constexpr std::int64_t kPerLine = 64 / sizeof(T);
  for (std::int64_t i = 0; i < n; i += kPerLine) __builtin_prefetch(row + i, 0, 2);
}

// Copies past the caches, for what is next read when they have forgotten it: saves fetching the lines that are
// overwritten. An ordinary copy where the processor has no such stores or `to` is on no 16-byte boundary. Other threads
// see the copies after finish_streams().
template <class T>
PEERLESS_INLINE void stream(const T* from, T* to, std::int64_t n) {
#ifdef __SSE2__
  constexpr std::int64_t kAtOnce = 16 / sizeof(T);
  if (reinterpret_cast<std::uintptr_t>(to) % 16 == 0) {
    for (; n >= kAtOnce; n -= kAtOnce, from += kAtOnce, to += kAtOnce) {
      _mm_stream_si128(reinterpret_cast<__m128i*>(to), _mm_loadu_si128(reinterpret_cast<const __m128i*>(from)));
    }
  }
#endif
  for (std::int64_t i = 0; i < n; ++i) to[i] = from[i];
}

PEERLESS_INLINE void finish_streams() {
#ifdef __SSE2__
  _mm_sfence();
#endif
}

// While one lives, this thread takes and makes no denormal number: 0 stands for them. Arithmetic with them is a hundred
// times slower, and rounding keeps numbers that should fade away at a few of the smallest of them for ever.
class FlushDenormals {
 public:
#ifdef __SSE2__
  FlushDenormals() : before_(_mm_getcsr()) { _mm_setcsr(before_ | kFlushResults | kTakeAsZero); }
  ~FlushDenormals() { _mm_setcsr(before_); }
  FlushDenormals(const FlushDenormals&) = delete;
  FlushDenormals& operator=(const FlushDenormals&) = delete;

 private:
  static constexpr unsigned kFlushResults = 0x8000, kTakeAsZero = 0x0040;  // FTZ and DAZ of MXCSR
  unsigned before_;
#endif
};

}  // namespace peerless::kernels
