// Kernels of product_key_top_k (peerless/ops/product_key.h): shape letters and the order of ties there.
#pragma once

#include <cstdint>

namespace peerless::kernels {

// What retrieval and its gradient read. A (token, head) is a row.
template <class T>
struct ProductKey {
  std::int64_t num_heads;  // h
  std::int64_t num_keys;   // n
  std::int64_t width;      // c
  std::int64_t k;
  bool shared;       // one set of keys for all heads
  const T* queries;  // [T, h, 2, c]
  const T* keys;     // [h or 1, 2, n, c]
};

// Scores of half keys, n in a row: those of (token, head, half) begin at their strides' sum.
template <class T>
struct HalfScores {
  const T* data;
  std::int64_t of_token, of_head, of_half;  // strides
};

// The k best of rows [first, last) = (token, head): scores and ids [tokens, h, k].
template <class T>
void product_key_top_k(const HalfScores<T>& half_scores, std::int64_t num_heads, std::int64_t n, std::int64_t k,
                       T* scores, std::int32_t* ids, std::int64_t first, std::int64_t last);

// Gradient [T, h, 2, c] of the queries of tokens [first, last), from that of the scores [T, h, k].
template <class T>
void product_key_grad_queries(const ProductKey<T>& keys, const std::int32_t* ids, const T* grad_scores, T* grad_queries,
                              std::int64_t first, std::int64_t last);

// Keys [first, last) of one half of one set: of head `set`, or (0) of all heads when they share.
struct KeyRange {
  std::int64_t set, half;
  std::int64_t first, last;
};

// Adds all tokens' gradient to those keys of grad_keys [h or 1, 2, n, c].
template <class T>
void product_key_grad_keys(const ProductKey<T>& keys, const std::int32_t* ids, const T* grad_scores,
                           std::int64_t num_tokens, const KeyRange& range, T* grad_keys);

}  // namespace peerless::kernels
