// Tensors as the kernels of kernels/gathered_rows.h see them.
#pragma once

#include <ATen/Parallel.h>
#include <ATen/core/Tensor.h>

#include <algorithm>

#include "peerless/params/row_grad.h"
#include "src/ops/group_by_row.h"
#include "src/ops/kernels/gathered_rows.h"

namespace peerless {

// ids [T, P] int32, table [N, W]; both contiguous.
template <class T>
kernels::GatheredRows<T> gathered_rows(const at::Tensor& ids, const at::Tensor& table) {
  return {ids.size(1), table.size(1), ids.const_data_ptr<std::int32_t>(), table.const_data_ptr<T>()};
}

// Adds to `grad` the gradient of the rows that `ids` name: work(slots, buffer, first, last) adds that of rows [first,
// last) of the slots. Threads get equal shares of the pairs, and own the rows that begin in theirs.
template <class T, class Work>
void add_row_grads(const at::Tensor& ids, RowGrad& grad, Work work) {
  constexpr std::int64_t kPairsAtLeast = 512;  // of a thread
  const auto pairs = static_cast<std::size_t>(ids.numel());
  const PairsByRow groups = group_by_row({ids.const_data_ptr<std::int32_t>(), pairs}, grad.buffer().size(0));
  const RowGrad::Claim claim = grad.claim(groups.rows);
  const kernels::RowSlots slots{.order = groups.order.data(),
                                .starts = groups.starts.data(),
                                .slots = claim.slots.data(),
                                .squares = grad.squares().mutable_data_ptr<double>(),
                                .first_fresh = claim.first_fresh};
  const auto row_at = [&starts = groups.starts](std::int64_t pair) {
    return std::lower_bound(starts.begin(), starts.end() - 1, pair) - starts.begin();
  };
  T* const buffer = grad.buffer().template mutable_data_ptr<T>();
  at::parallel_for(0, ids.numel(), kPairsAtLeast,
                   [&](std::int64_t first, std::int64_t last) { work(slots, buffer, row_at(first), row_at(last)); });
}

}  // namespace peerless
