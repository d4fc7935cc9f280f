#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>

#include "src/ops/gathered_rows.h"
#include "src/ops/kernels/pair_rows.h"
#include "src/ops/pair_rows.h"

namespace peerless {
namespace {

constexpr std::int64_t kTokensAtLeast = 8;  // of a thread

}  // namespace

at::Tensor KernelPairs::dot(const at::Tensor& x, const at::Tensor& ids, const at::Tensor& table, std::int64_t column) {
  const auto out = at::empty(ids.sizes(), x.options());
  AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "pair_dot", [&] {
    const auto rows = gathered_rows<scalar_t>(ids, table);
    const auto* const of_tokens = x.const_data_ptr<scalar_t>();
    auto* const to = out.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, ids.size(0), kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
      kernels::pair_dot(rows, {column, x.size(1)}, of_tokens, to, first, last);
    });
  });
  return out;
}

at::Tensor KernelPairs::sum(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table,
                            std::int64_t column, std::int64_t d) {
  const auto y = at::empty({ids.size(0), d}, table.options());
  AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "pair_sum", [&] {
    const auto rows = gathered_rows<scalar_t>(ids, table);
    const auto* const of_pairs = weights.defined() ? weights.const_data_ptr<scalar_t>() : nullptr;
    auto* const to = y.mutable_data_ptr<scalar_t>();
    at::parallel_for(0, ids.size(0), kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
      kernels::pair_sum(rows, {column, d}, of_pairs, to, first, last);
    });
  });
  return y;
}

void KernelPairs::add_grads(const at::Tensor& ids, const std::vector<PairGrads>& parts, RowGrad& grad) {
  AT_DISPATCH_FLOATING_TYPES(grad.buffer().scalar_type(), "add_pair_grads", [&] {
    const auto rows = gathered_rows<scalar_t>(ids, grad.buffer());
    std::vector<kernels::PairGrads<scalar_t>> of_pairs;
    for (const auto& [weights, source] : parts)
      of_pairs.push_back({weights.const_data_ptr<scalar_t>(), source.const_data_ptr<scalar_t>()});
    add_row_grads<scalar_t>(ids, grad, [&](const kernels::RowSlots& slots, scalar_t* buffer, auto... range) {
      kernels::add_pair_grads<scalar_t>(rows, of_pairs, slots, buffer, range...);
    });
  });
}

}  // namespace peerless
