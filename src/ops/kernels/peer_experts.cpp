#include "src/ops/kernels/peer_experts.h"

#include <algorithm>

#include "src/ops/kernels/exp.h"

namespace peerless::kernels {
namespace {

template <class T>
PEERLESS_INLINE void activate(Activation activation, const T* s, T* value, std::int64_t n) {
  switch (activation) {
    case Activation::gelu:
#pragma omp simd
      for (std::int64_t j = 0; j < n; ++j) value[j] = s[j] * normal_below(s[j]);
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
      for (std::int64_t j = 0; j < n; ++j) slope[j] = normal_below(s[j]) + s[j] * normal_density(s[j]);
      return;
    case Activation::relu:
      for (std::int64_t j = 0; j < n; ++j) slope[j] = !(s[j] <= 0);
      return;
    case Activation::none:
      for (std::int64_t j = 0; j < n; ++j) slope[j] = 1;
  }
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
        peer.rows, t, last, [&](const PairBlock<T>& block) __attribute__((always_inline)) {
          T out[kBlock];
          T* const pre = peer.pre + block.first;
          block.times_ahead(x_t, 0, d, pre);
          activate(peer.activation, pre, out, block.count);
          for (std::int64_t j = 0; j < block.count; ++j) out[j] *= peer.gates[block.first + j];
          if (peer.glu) {
            T* const linear = peer.linear + block.first;
            block.times(x_t, d, d, linear);
            for (std::int64_t j = 0; j < block.count; ++j) out[j] *= linear[j];
          }
          block.add_rows(out, peer.rows.width - d, d, y_t);
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
        peer.rows, t, last, [&](const PairBlock<T>& block) __attribute__((always_inline)) {
          T grad_neuron[kBlock], value[kBlock], slope[kBlock];  // grad_neuron: of act(u . x) (w . x), before its gate
          block.times_ahead(grad_y + t * d, peer.rows.width - d, d, grad_neuron);
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
          block.add_rows(pairs.u + block.first, 0, d, grad_x_t);
          if (peer.glu) block.add_rows(pairs.w + block.first, d, d, grad_x_t);
        });
  }
}

#define PEERLESS_INSTANTIATE(T)                                                                                      \
  template void peer_forward(const PeerExperts<T>&, T*, std::int64_t, std::int64_t);                                 \
  template void peer_backward_tokens(const PeerExperts<T>&, const T*, T*, T*, const PeerPairGrads<T>&, std::int64_t, \
                                     std::int64_t);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::kernels
