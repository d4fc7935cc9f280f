// Tables read by pairs (token, choice): what gather_sum is, and what peer_experts is made of where no kernel of its own
// does it in one pass. Two ways with the same members, for templates.
//
// Shapes   T tokens, P rows of a token, table [N, W]; ids [T, P] int32. A part of a row is its columns [column, column
//          + d)
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "peerless/params/row_grad.h"

namespace peerless {

// A part of rows' gradient: every pair adds weights[t,p] * source_t to it. weights [T, P], source [T, d]
struct PairGrads {
  at::Tensor weights, source;
};

// On a GPU each is a kernel (cuda/pair_rows.cu); elsewhere ATen operators on a piece of the tokens at a time, so that
// what is gathered is of bounded size.
struct PlainPairs {
  // out[t,p] = x_t . (part of row ids[t,p]); x [T, d] -> [T, P]
  static at::Tensor dot(const at::Tensor& x, const at::Tensor& ids, const at::Tensor& table, std::int64_t column);
  // y_t = sum over p of weights[t,p] * (part of row ids[t,p]); weights [T, P] -> [T, d]
  static at::Tensor sum(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table, std::int64_t column,
                        std::int64_t d);
  // Adds to `grad` the gradient of the rows that `ids` name, whose parts, of one size, are given in the order of
  // columns. Of equal rows in the order of pairs: no atomics. On a device it waits for the ids.
  static void add_grads(const at::Tensor& ids, const std::vector<PairGrads>& parts, RowGrad& grad);
};

// On CPUs, where tensors are contiguous.
struct KernelPairs {
  static at::Tensor dot(const at::Tensor& x, const at::Tensor& ids, const at::Tensor& table, std::int64_t column);
  // Undefined weights: each pair counts once.
  static at::Tensor sum(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table, std::int64_t column,
                        std::int64_t d);
  static void add_grads(const at::Tensor& ids, const std::vector<PairGrads>& parts, RowGrad& grad);
};

}  // namespace peerless
