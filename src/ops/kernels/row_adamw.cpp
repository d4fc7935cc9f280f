#include "src/ops/kernels/row_adamw.h"

#include <cmath>

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {
namespace {

constexpr std::int64_t kRowsAhead = 1;

// An element's gradient is grad_of(i).
template <class T, class F>
PEERLESS_INLINE void update_row(const AdamW<T>& a, const AdamWTable<T>& table, std::int64_t row, F grad_of) {
  T* __restrict const weight = table.weight + row * table.width;
  T* __restrict const m = table.m + row * table.width;
  T* __restrict const v = table.v + row * table.width;
#pragma omp simd
  for (std::int64_t i = 0; i < table.width; ++i) {
    const T g = a.grad_scale * grad_of(i);
    m[i] += a.one_minus_beta1 * (g - m[i]);
    v[i] += a.one_minus_beta2 * (g * g - v[i]);
    weight[i] = a.keep * weight[i] - a.step_size * m[i] / (a.root_scale * std::sqrt(v[i]) + a.eps);
  }
}

template <class T>
PEERLESS_INLINE void prefetch_row(const AdamWTable<T>& table, std::int64_t row) {
  prefetch(table.weight + row * table.width, table.width);
  prefetch(table.m + row * table.width, table.width);
  prefetch(table.v + row * table.width, table.width);
}

}  // namespace

template <class T>
PEERLESS_CLONES void adamw_touched_rows(const AdamW<T>& adamw, const AdamWTable<T>& table, const std::int32_t* ids,
                                        std::int64_t first, std::int64_t last) {
  [[maybe_unused]] const FlushDenormals flush;
  for (std::int64_t s = first; s < last; ++s) {
    if (s + kRowsAhead < last) prefetch_row(table, ids[s + kRowsAhead]);
    const T* const grad = table.grad + s * table.width;
    update_row(adamw, table, ids[s], [grad](std::int64_t i) { return grad[i]; });
  }
}

template <class T>
PEERLESS_CLONES void adamw_all_rows(const AdamW<T>& adamw, const AdamWTable<T>& table, const std::int32_t* slots,
                                    std::int64_t first, std::int64_t last) {
  [[maybe_unused]] const FlushDenormals flush;
  for (std::int64_t row = first; row < last; ++row) {
    if (slots[row] < 0) {
      update_row(adamw, table, row, [](std::int64_t) { return T(0); });
    } else {
      const T* const grad = table.grad + slots[row] * table.width;
      update_row(adamw, table, row, [grad](std::int64_t i) { return grad[i]; });
    }
  }
}

#define PEERLESS_INSTANTIATE(T)                                                                              \
  template void adamw_touched_rows(const AdamW<T>&, const AdamWTable<T>&, const std::int32_t*, std::int64_t, \
                                   std::int64_t);                                                            \
  template void adamw_all_rows(const AdamW<T>&, const AdamWTable<T>&, const std::int32_t*, std::int64_t, std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
