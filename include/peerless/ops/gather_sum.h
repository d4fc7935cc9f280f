// A weighted sum of table rows for every token: what a memory answers.
//
//   y_t = sum over p of  weights[t,p] * table[ids[t,p]]
//
// It is torch.nn.EmbeddingBag(mode="sum", per_sample_weights) with bags of one size, whose table has its gradient by
// rows.
//
// Shapes     T tokens, P rows of a token, N rows, W width: weights [T,P], ids [T,P] int32, table [N,W] -> y [T,W]
//            A token may hold the same row several times.
// Gradients  of weights by autograd; of the table by rows, added to table.grad(): weight().grad() stays undefined
// Precision  computed in the table's dtype (float or double); y has it
// Cost       2 P W FLOPs a token. Forward reads P rows a token once; backward once more, and writes each retrieved
//            row's gradient once. Nothing of shape [T, P, W] is stored.
// Threads    all of ATen's. A token, and in the second half of backward a row, has one owner who adds in the order of
//            tokens: bits depend neither on the number of threads nor on the run.
// Errors     c10::Error when shapes or dtypes do not fit; ids are trusted
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/ops/row_table.h"

namespace peerless {

at::Tensor gather_sum(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table);

namespace plain {
// The same on any device, by operators on pairs that have CUDA kernels of their own, and elsewhere are ATen's on a
// piece of the tokens at a time. On a device, backward waits for the ids.
at::Tensor gather_sum(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table);
}  // namespace plain

}  // namespace peerless
