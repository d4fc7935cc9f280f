// The k best of each row, best first; of equal scores the lowest id wins (at::topk does not say which one does).
//
// Shapes   scores [T, N] -> ids [T, k] int64. A score that is no number counts as better than all others, as in
//          at::topk.
// Cost     on the CPU one pass over the scores, with k moves at worst for each that is taken in
// Errors   c10::Error unless 1 <= k <= N
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

namespace peerless {

at::Tensor top_k_ids(const at::Tensor& scores, std::int64_t k);

namespace plain {
// The same by a stable sort, on any device.
at::Tensor top_k_ids(const at::Tensor& scores, std::int64_t k);
}  // namespace plain

}  // namespace peerless
