#include "src/ops/kernels/peer_experts.h"

#include <cmath>
#include <vector>

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {
namespace {

// Rows of the table are asked for this many pairs before they are needed.
constexpr std::int64_t kRowsAhead = 4;

template <class T>
struct Activated {
  T value;
  T slope;
};

template <class T>
PEERLESS_INLINE T value_of(Activation activation, T s) {
  switch (activation) {
    case Activation::gelu:
      return s / 2 * (1 + std::erf(s * T(M_SQRT1_2)));
    case Activation::relu:
      return s > 0 ? s : 0;
    case Activation::none:
      return s;
  }
  __builtin_unreachable();
}

template <class T>
PEERLESS_INLINE Activated<T> activate(Activation activation, T s) {
  switch (activation) {
    case Activation::gelu: {
      const T below = (1 + std::erf(s * T(M_SQRT1_2))) / 2;  // the normal distribution function
      return {s * below, below + s * std::exp(-s * s / 2) * T(M_2_SQRTPI * M_SQRT1_2 / 2)};
    }
    case Activation::relu:
      return s > 0 ? Activated<T>{s, 1} : Activated<T>{0, 0};
    case Activation::none:
      return {s, 1};
  }
  __builtin_unreachable();
}

// The next rows that a thread working on pairs up to `end` will read.
template <class T>
PEERLESS_INLINE void prefetch_row(const PeerExperts<T>& peer, std::int64_t pair, std::int64_t end) {
  if (pair + kRowsAhead >= end) return;
  prefetch(peer.table + peer.ids[pair + kRowsAhead] * peer.width(), peer.width());
}

}  // namespace

template <class T>
PEERLESS_CLONES void peer_forward(const PeerExperts<T>& peer, T* y, std::int64_t first, std::int64_t last) {
  const std::int64_t d = peer.d, width = peer.width();
  for (std::int64_t t = first; t < last; ++t) {
    const T* const x_t = peer.x + t * d;
    T* const y_t = y + t * d;
    for (std::int64_t i = 0; i < d; ++i) y_t[i] = 0;
    for (std::int64_t pair = t * peer.num_chosen; pair < (t + 1) * peer.num_chosen; ++pair) {
      prefetch_row(peer, pair, last * peer.num_chosen);
      const T* const u = peer.table + peer.ids[pair] * width;
      const T pre = dot(u, x_t, d);
      T out = peer.gates[pair] * value_of(peer.activation, pre);
      peer.pre[pair] = pre;
      if (peer.glu) {
        const T linear = dot(u + d, x_t, d);
        peer.linear[pair] = linear;
        out *= linear;
      }
      add_scaled(out, u + width - d, y_t, d);
    }
  }
}

template <class T>
PEERLESS_CLONES void peer_backward_tokens(const PeerExperts<T>& peer, const T* grad_y, T* grad_x, T* grad_gates,
                                          const PeerPairGrads<T>& pairs, std::int64_t first, std::int64_t last) {
  const std::int64_t d = peer.d, width = peer.width();
  for (std::int64_t t = first; t < last; ++t) {
    const T* const grad_y_t = grad_y + t * d;
    T* const grad_x_t = grad_x + t * d;
    for (std::int64_t i = 0; i < d; ++i) grad_x_t[i] = 0;
    for (std::int64_t pair = t * peer.num_chosen; pair < (t + 1) * peer.num_chosen; ++pair) {
      prefetch_row(peer, pair, last * peer.num_chosen);
      const T* const u = peer.table + peer.ids[pair] * width;
      const T gate = peer.gates[pair];
      const T grad_neuron = dot(u + width - d, grad_y_t, d);  // of act(u . x) (w . x), before its gate
      const auto [value, slope] = activate(peer.activation, peer.pre[pair]);
      const T linear = peer.glu ? peer.linear[pair] : 1;
      grad_gates[pair] = grad_neuron * value * linear;
      pairs.v[pair] = gate * value * linear;
      pairs.u[pair] = gate * grad_neuron * slope * linear;
      add_scaled(pairs.u[pair], u, grad_x_t, d);
      if (peer.glu) {
        pairs.w[pair] = gate * grad_neuron * value;
        add_scaled(pairs.w[pair], u + d, grad_x_t, d);
      }
    }
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
