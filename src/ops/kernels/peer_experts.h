// Kernels of peer_experts (peerless/ops/peer_experts.h): formulas and shape letters there.
#pragma once

#include <cstdint>

#include "peerless/ops/activation.h"
#include "src/ops/kernels/gathered_rows.h"

namespace peerless::kernels {

template <class T>
struct PeerExperts {
  GatheredRows<T> rows;  // of width 2 d, with glu 3 d
  std::int64_t d;
  Activation activation;
  bool glu;
  const T* x;      // [T, d]
  const T* gates;  // [T, P]
  T* pre;          // [T, P]: u_i . x_t, kept by forward for backward
  T* linear;       // [T, P]: w_i . x_t, with glu only
};

// What the pairs (token, expert) multiply, each [T, P]: u and w x_t, v the gradient of y_t. That is their part in the
// gradient of rows (add_pair_grads).
template <class T>
struct PeerPairGrads {
  T* u;  // gradient of u_i . x_t
  T* w;  // gradient of w_i . x_t, with glu only
  T* v;  // what expert i multiplied v_i by
};

// y [T, d] of tokens [first, last).
template <class T>
void peer_forward(const PeerExperts<T>& peer, T* y, std::int64_t first, std::int64_t last);

// Gradients of x and gates of tokens [first, last), and of their pairs, from that of y.
template <class T>
void peer_backward_tokens(const PeerExperts<T>& peer, const T* grad_y, T* grad_x, T* grad_gates,
                          const PeerPairGrads<T>& pairs, std::int64_t first, std::int64_t last);

}  // namespace peerless::kernels
