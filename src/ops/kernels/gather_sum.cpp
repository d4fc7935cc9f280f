#include "src/ops/kernels/gather_sum.h"

namespace peerless::kernels {

template <class T>
PEERLESS_CLONES void gather_sum(const GatheredRows<T>& rows, const T* weights, T* y, std::int64_t first,
                                std::int64_t last) {
  T ones[kBlock];
  std::fill_n(ones, kBlock, T(1));
  for (std::int64_t t = first; t < last; ++t) {
    T* const y_t = y + t * rows.width;
    std::fill_n(y_t, rows.width, T(0));
    for_blocks(
        rows, t, last, [&](const PairBlock<T>& block) __attribute__((always_inline)) {
          for (std::int64_t j = 0; j < block.count; ++j) block.ask_ahead(j);
          block.add_rows(weights ? weights + block.first : ones, 0, rows.width, y_t);
        });
  }
}

template <class T>
PEERLESS_CLONES void gather_dot(const GatheredRows<T>& rows, const T* x, T* out, std::int64_t first,
                                std::int64_t last) {
  for (std::int64_t t = first; t < last; ++t) {
    for_blocks(
        rows, t, last, [&](const PairBlock<T>& block) __attribute__((always_inline)) {
          block.times_ahead(x + t * rows.width, 0, rows.width, out + block.first);
        });
  }
}

template <class T>
PEERLESS_CLONES void gather_sum_rows(const GatheredRows<T>& rows, const T* weights, const T* grad_y,
                                     const RowSlots& slots, T* buffer, std::int64_t first, std::int64_t last) {
  const auto chosen = static_cast<std::int32_t>(rows.num_chosen);
  add_to_rows(
      slots, rows.width, buffer, first,
      last, [&](std::int32_t pair) __attribute__((always_inline)) { __builtin_prefetch(weights + pair); },
      [&](std::int32_t pair, T * sum) __attribute__((always_inline)) {
        add_scaled(weights[pair], grad_y + (pair / chosen) * rows.width, sum, rows.width);
      });
}

#define PEERLESS_INSTANTIATE(T)                                                                                \
  template void gather_sum(const GatheredRows<T>&, const T*, T*, std::int64_t, std::int64_t);                  \
  template void gather_dot(const GatheredRows<T>&, const T*, T*, std::int64_t, std::int64_t);                  \
  template void gather_sum_rows(const GatheredRows<T>&, const T*, const T*, const RowSlots&, T*, std::int64_t, \
                                std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
