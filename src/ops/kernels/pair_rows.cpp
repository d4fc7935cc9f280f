#include "src/ops/kernels/pair_rows.h"

namespace peerless::kernels {

template <class T>
PEERLESS_CLONES void pair_dot(const GatheredRows<T>& rows, const Columns& part, const T* x, T* out, std::int64_t first,
                              std::int64_t last) {
  for (std::int64_t t = first; t < last; ++t) {
    for_blocks(
        rows, t, last, [&](const PairBlock<T>& block) __attribute__((always_inline)) {
          block.times_ahead(x + t * part.size, part.begin, part.size, out + block.first);
        });
  }
}

template <class T>
PEERLESS_CLONES void pair_sum(const GatheredRows<T>& rows, const Columns& part, const T* weights, T* y,
                              std::int64_t first, std::int64_t last) {
  T ones[kBlock];
  std::fill_n(ones, kBlock, T(1));
  for (std::int64_t t = first; t < last; ++t) {
    T* const y_t = y + t * part.size;
    std::fill_n(y_t, part.size, T(0));
    for_blocks(
        rows, t, last, [&](const PairBlock<T>& block) __attribute__((always_inline)) {
          for (std::int64_t j = 0; j < block.count; ++j) block.ask_ahead(j);
          block.add_rows(weights ? weights + block.first : ones, part.begin, part.size, y_t);
        });
  }
}

template <class T>
PEERLESS_CLONES void add_pair_grads(const GatheredRows<T>& rows, std::span<const PairGrads<T>> parts,
                                    const RowSlots& slots, T* buffer, std::int64_t first, std::int64_t last) {
  const auto chosen = static_cast<std::int32_t>(rows.num_chosen);
  const std::int64_t size = rows.width / static_cast<std::int64_t>(parts.size());
  add_to_rows(
      slots, rows.width, buffer, first, last,
      [&](std::int32_t pair) __attribute__((always_inline)) {
        for (const auto& part : parts) __builtin_prefetch(part.weights + pair);
      },
      [&](std::int32_t pair, T * sum) __attribute__((always_inline)) {
        const std::int64_t t = pair / chosen;
        for (const auto& part : parts) {
          add_scaled(part.weights[pair], part.source + t * size, sum, size);
          sum += size;
        }
      });
}

#define PEERLESS_INSTANTIATE(T)                                                                             \
  template void pair_dot(const GatheredRows<T>&, const Columns&, const T*, T*, std::int64_t, std::int64_t); \
  template void pair_sum(const GatheredRows<T>&, const Columns&, const T*, T*, std::int64_t, std::int64_t); \
  template void add_pair_grads(const GatheredRows<T>&, std::span<const PairGrads<T>>, const RowSlots&, T*,  \
                               std::int64_t, std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
