// Kernels of peer_experts (peerless/ops/peer_experts.h): formulas and shape letters there.
#pragma once

#include <cstdint>

#include "peerless/ops/activation.h"

namespace peerless::kernels {

template <class T>
struct PeerExperts {
  std::int64_t num_chosen;  // P
  std::int64_t d;
  Activation activation;
  bool glu;
  const T* x;               // [T, d]
  const T* gates;           // [T, P]
  const std::int32_t* ids;  // [T, P]
  const T* table;           // [N, width()]
  T* pre;                   // [T, P]: u_i . x_t, kept by forward for backward
  T* linear;                // [T, P]: w_i . x_t, with glu only

  std::int64_t width() const { return glu ? 3 * d : 2 * d; }
};

// What the pairs (token, expert) pass from the first half of backward to the second, each [T, P].
template <class T>
struct PeerPairGrads {
  T* u;  // gradient of u_i . x_t
  T* w;  // gradient of w_i . x_t, with glu only
  T* v;  // what expert i multiplied v_i by
};

// The pairs by expert, and where the gradient of each expert's row goes.
struct PeerRows {
  const std::int32_t* order;   // [T P] pairs, by expert, then by token
  const std::int64_t* starts;  // [R + 1]: expert r's pairs are order[starts[r]] ... order[starts[r + 1] - 1]
  const std::int32_t* slots;   // [R] row of the gradient buffer
  double* squares;             // of each row of the buffer: the sum of its squares
  std::int64_t first_fresh;    // rows from here on hold nothing yet
};

// y [T, d] of tokens [first, last).
template <class T>
void peer_forward(const PeerExperts<T>& peer, T* y, std::int64_t first, std::int64_t last);

// Gradients of x and gates of tokens [first, last), and of their pairs, from that of y.
template <class T>
void peer_backward_tokens(const PeerExperts<T>& peer, const T* grad_y, T* grad_x, T* grad_gates,
                          const PeerPairGrads<T>& pairs, std::int64_t first, std::int64_t last);

// Adds the gradient of experts [first, last) of `rows` to the buffer [.., width()], and sets the squares of its rows.
template <class T>
void peer_backward_rows(const PeerExperts<T>& peer, const T* grad_y, const PeerPairGrads<T>& pairs,
                        const PeerRows& rows, T* buffer, std::int64_t first, std::int64_t last);

}  // namespace peerless::kernels
