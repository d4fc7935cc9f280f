// Product-key retrieval: the k best of n * n keys at the price of scoring 2 n half keys.
//
//   score(id) = q_0 . keys[0][id / n] + q_1 . keys[1][id % n]        the k best ids of each token and head
//
// Any winner has each of its halves among the k best of that half, and at ranks a, b (from 0) with (a+1)(b+1) <= k:
// exact, not a heuristic. Of equal scores the lowest id wins; sums of two half scores are compared exactly, as if never
// rounded (the half scores themselves are, to the dtype).
//
// Shapes     T tokens, h heads, n keys of a half, c width of a half query
//            queries [T,h,2,c], keys [h,2,n,c], or [1,2,n,c] shared by all heads -> scores [T,h,k] descending,
//            ids [T,h,k] int32; float or double
// Gradients  of queries and keys, through the k scores alone: never a dense [T, n] product
// Cost       4 T h n c FLOPs; then, for a token and head, n comparisons with a bar, (k + those above it)^2 to rank
//            them, and of the sums those k log k that can win. Scores of all n are stored for a few tokens at a time.
// Threads    all of ATen's; one owner adds up each gradient, tokens ascending, in an order that threads do not change.
//            Half scores are LibTorch's matrix product: its bits are those of a run, and of a number of threads.
// NaN        a half score that is no number is retrieved before all others, so that it comes out in the scores; ids
//            stay in range, but which stand beside it, or beside an infinite one, is not said
// Errors     c10::Error when shapes or dtypes do not fit, unless 1 <= k <= n and n * n < 2^31
// Source     Lample et al. 2019, "Large Memory Layers with Product Keys", arXiv:1907.05242, section 3.2
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace peerless {

struct Retrieved {
  at::Tensor scores;
  at::Tensor ids;
};

Retrieved product_key_top_k(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k);

namespace plain {
// The same by ATen operators on any device, a piece of the tokens at a time: what runs where there is no kernel. On a
// device, backward waits for the ids once a piece.
Retrieved product_key_top_k(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k);
}  // namespace plain

}  // namespace peerless
