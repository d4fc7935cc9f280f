// Tables read by pairs (token, choice) on any device: what the plain ways of peer_experts and gather_sum are made of.
// On a GPU each is a kernel (cuda/pair_rows.cu); elsewhere ATen operators on a piece of the tokens at a time, so that
// what is gathered is of bounded size.
//
// Shapes   T tokens, P rows of a token, table [N, W]; ids [T, P] int32. A part of a row is its columns [column, column
//          + d)
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "peerless/params/row_grad.h"

namespace peerless {

// out[t,p] = x_t . (part of row ids[t,p]); x [T, d] -> [T, P]
at::Tensor pair_dot(const at::Tensor& x, const at::Tensor& ids, const at::Tensor& table, std::int64_t column);

// y_t = sum over p of weights[t,p] * (part of row ids[t,p]); weights [T, P] -> [T, d]
at::Tensor pair_sum(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table, std::int64_t column,
                    std::int64_t d);

// A part of rows' gradient: every pair adds weights[t,p] * source_t to it. weights [T, P], source [T, d]
struct PairGrads {
  at::Tensor weights, source;
};

// Adds to `grad` the gradient of the rows that `ids` name, whose parts are given in the order of columns. Of equal rows
// in the order of pairs: no atomics. On a device it waits for the ids.
void add_pair_grads(const at::Tensor& ids, const std::vector<PairGrads>& parts, RowGrad& grad);

}  // namespace peerless
