#include "src/ops/kernels/peer_experts.h"

#include <algorithm>
#include <cmath>
#include <vector>

#include "src/ops/kernels/exp.h"
#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {
namespace {

// Rows of the table are asked for this many pairs before they are needed.
constexpr std::int64_t kRowsAhead = 4;
constexpr std::int64_t kPairsAhead = 8;  // the same of what pairs pass to the rows of their experts
// Pairs taken together: few enough that their rows stay in the first cache between their dot products and their sums.
constexpr std::int64_t kBlock = 16;

// The normal distribution function.
template <class T>
PEERLESS_INLINE T below(T s) {
  return (1 + erf(s * T(M_SQRT1_2))) / 2;
}

template <class T>
PEERLESS_INLINE void activate(Activation activation, const T* s, T* value, std::int64_t n) {
  switch (activation) {
    case Activation::gelu:
#pragma omp simd
      for (std::int64_t j = 0; j < n; ++j) value[j] = s[j] * below(s[j]);
      return;
    case Activation::relu:
      for (std::int64_t j = 0; j < n; ++j) value[j] = s[j] <= 0 ? 0 : s[j];  // keeps what is no number
      return;
    case Activation::none:
      for (std::int64_t j = 0; j < n; ++j) value[j] = s[j];
  }
}

template <class T>
PEERLESS_INLINE void slopes(Activation activation, const T* s, T* slope, std::int64_t n) {
  switch (activation) {
    case Activation::gelu:
#pragma omp simd
      for (std::int64_t j = 0; j < n; ++j)
        slope[j] = below(s[j]) + s[j] * exp_of_minus_abs(s[j] * s[j] / 2) * T(M_2_SQRTPI * M_SQRT1_2 / 2);
      return;
    case Activation::relu:
      for (std::int64_t j = 0; j < n; ++j) slope[j] = !(s[j] <= 0);
      return;
    case Activation::none:
      for (std::int64_t j = 0; j < n; ++j) slope[j] = 1;
  }
}

// Some pairs of a token.
template <class T>
struct Block {
  const PeerExperts<T>& peer;
  std::int64_t first, count, end;  // end of the pairs that this thread works on

  const T* row(std::int64_t j) const { return peer.table + peer.ids[first + j] * peer.width(); }

  // out[j] = x . (row j from `column`).
  PEERLESS_INLINE void times(const T* x, std::int64_t column, T* out) const {
    for (std::int64_t j = 0; j < count; ++j) out[j] = dot(row(j) + column, x, peer.d);
  }
  // The same, asking for rows that come after.
  PEERLESS_INLINE void times_ahead(const T* x, std::int64_t column, T* out) const {
    for (std::int64_t j = 0; j < count; ++j) {
      if (first + j + kRowsAhead < end) prefetch(row(j + kRowsAhead), peer.width());
      out[j] = dot(row(j) + column, x, peer.d);
    }
  }
  // y += the sum of a[j] * (row j from `column`), four rows in a pass over y.
  PEERLESS_INLINE void add_rows(const T* a, std::int64_t column, T* y) const {
    std::int64_t j = 0;
    for (; j + 4 <= count; j += 4) {
      const T *const r0 = row(j) + column, *const r1 = row(j + 1) + column, *const r2 = row(j + 2) + column,
                     *const r3 = row(j + 3) + column;
#pragma omp simd
      for (std::int64_t i = 0; i < peer.d; ++i)
        y[i] += (a[j] * r0[i] + a[j + 1] * r1[i]) + (a[j + 2] * r2[i] + a[j + 3] * r3[i]);
    }
    for (; j < count; ++j) add_scaled(a[j], row(j) + column, y, peer.d);
  }
};

// Calls f(block) for the pairs of token t.
template <class T, class F>
PEERLESS_INLINE void for_blocks(const PeerExperts<T>& peer, std::int64_t t, std::int64_t last, F f) {
  const std::int64_t end = (t + 1) * peer.num_chosen;
  for (std::int64_t pair = t * peer.num_chosen; pair < end; pair += kBlock)
    f(Block<T>{peer, pair, std::min(kBlock, end - pair), last * peer.num_chosen});
}

}  // namespace

template <class T>
PEERLESS_CLONES void peer_forward(const PeerExperts<T>& peer, T* y, std::int64_t first, std::int64_t last) {
  const std::int64_t d = peer.d;
  for (std::int64_t t = first; t < last; ++t) {
    const T* const x_t = peer.x + t * d;
    T* const y_t = y + t * d;
    std::fill_n(y_t, d, T(0));
    for_blocks(
        peer, t, last, [&](const Block<T>& block) __attribute__((always_inline)) {
          T out[kBlock];
          T* const pre = peer.pre + block.first;
          block.times_ahead(x_t, 0, pre);
          activate(peer.activation, pre, out, block.count);
          for (std::int64_t j = 0; j < block.count; ++j) out[j] *= peer.gates[block.first + j];
          if (peer.glu) {
            T* const linear = peer.linear + block.first;
            block.times(x_t, d, linear);
            for (std::int64_t j = 0; j < block.count; ++j) out[j] *= linear[j];
          }
          block.add_rows(out, peer.width() - d, y_t);
        });
  }
}

template <class T>
PEERLESS_CLONES void peer_backward_tokens(const PeerExperts<T>& peer, const T* grad_y, T* grad_x, T* grad_gates,
                                          const PeerPairGrads<T>& pairs, std::int64_t first, std::int64_t last) {
  const std::int64_t d = peer.d;
  for (std::int64_t t = first; t < last; ++t) {
    T* const grad_x_t = grad_x + t * d;
    std::fill_n(grad_x_t, d, T(0));
    for_blocks(
        peer, t, last, [&](const Block<T>& block) __attribute__((always_inline)) {
          T grad_neuron[kBlock], value[kBlock], slope[kBlock];  // grad_neuron: of act(u . x) (w . x), before its gate
          block.times_ahead(grad_y + t * d, peer.width() - d, grad_neuron);
          activate(peer.activation, peer.pre + block.first, value, block.count);
          slopes(peer.activation, peer.pre + block.first, slope, block.count);
          for (std::int64_t j = 0; j < block.count; ++j) {
            const std::int64_t pair = block.first + j;
            const T gate = peer.gates[pair], linear = peer.glu ? peer.linear[pair] : 1;
            grad_gates[pair] = grad_neuron[j] * value[j] * linear;
            pairs.v[pair] = gate * value[j] * linear;
            pairs.u[pair] = gate * grad_neuron[j] * slope[j] * linear;
            if (peer.glu) pairs.w[pair] = gate * grad_neuron[j] * value[j];
          }
          block.add_rows(pairs.u + block.first, 0, grad_x_t);
          if (peer.glu) block.add_rows(pairs.w + block.first, d, grad_x_t);
        });
  }
}

template <class T>
PEERLESS_CLONES void peer_backward_rows(const PeerExperts<T>& peer, const T* grad_y, const PeerPairGrads<T>& pairs,
                                        const PeerRows& rows, T* buffer, std::int64_t first, std::int64_t last) {
  const std::int64_t d = peer.d, width = peer.width();
  const auto chosen = static_cast<std::int32_t>(peer.num_chosen);
  std::vector<T> scratch(width);
  T* const sum = scratch.data();
  for (std::int64_t r = first; r < last; ++r) {
    T* const grad_row = buffer + rows.slots[r] * width;
    const bool fresh = rows.slots[r] >= rows.first_fresh;
    for (std::int64_t i = 0; i < width; ++i) sum[i] = fresh ? 0 : grad_row[i];
    for (std::int64_t q = rows.starts[r]; q < rows.starts[r + 1]; ++q) {
      if (q + kPairsAhead < rows.starts[last]) {
        const std::int32_t next = rows.order[q + kPairsAhead];
        __builtin_prefetch(pairs.u + next);
        __builtin_prefetch(pairs.v + next);
      }
      const std::int32_t pair = rows.order[q];
      const std::int64_t t = pair / chosen;
      const T* const x_t = peer.x + t * d;
      add_scaled(pairs.u[pair], x_t, sum, d);
      if (peer.glu) add_scaled(pairs.w[pair], x_t, sum + d, d);
      add_scaled(pairs.v[pair], grad_y + t * d, sum + width - d, d);
    }
    rows.squares[rows.slots[r]] = sum_of_squares(sum, width);
    stream(sum, grad_row, width);
  }
  finish_streams();
}

#define PEERLESS_INSTANTIATE(T)                                                                                      \
  template void peer_forward(const PeerExperts<T>&, T*, std::int64_t, std::int64_t);                                 \
  template void peer_backward_tokens(const PeerExperts<T>&, const T*, T*, T*, const PeerPairGrads<T>&, std::int64_t, \
                                     std::int64_t);                                                                  \
  template void peer_backward_rows(const PeerExperts<T>&, const T*, const PeerPairGrads<T>&, const PeerRows&, T*,    \
                                   std::int64_t, std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
