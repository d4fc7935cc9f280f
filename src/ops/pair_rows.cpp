#include "src/ops/pair_rows.h"

#include <ATen/Dispatch.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty.h>

#include <algorithm>

#include "src/ops/pieces.h"
#include "src/ops/sum_rows.h"

#ifdef PEERLESS_CUDA
#include <ATen/ops/sort.h>
#include <ATen/ops/unique_consecutive.h>
#include <ATen/ops/zeros.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "src/ops/cuda/pair_rows.h"
#endif

namespace peerless {
namespace {

// Tokens whose rows of that width are gathered at once.
std::int64_t piece_size(const at::Tensor& ids, std::int64_t width) {
  constexpr std::int64_t kGatheredElements = std::int64_t{1} << 24;
  return std::max<std::int64_t>(1, kGatheredElements / (ids.size(1) * width));
}

// Parts of the rows of some tokens: [n, P, d].
at::Tensor gather(const at::Tensor& ids, const at::Tensor& table, std::int64_t column, std::int64_t d) {
  return table.narrow(1, column, d).index_select(0, ids.flatten()).view({ids.size(0), ids.size(1), d});
}

#ifdef PEERLESS_CUDA
template <class T>
cuda::PairRows<T> rows_of(const at::Tensor& ids, const at::Tensor& table, std::int64_t column, std::int64_t d) {
  return {ids.size(1), table.size(1), column, d, ids.const_data_ptr<std::int32_t>(), table.const_data_ptr<T>()};
}

// One launch, on the tensor's device and its current stream.
template <class Launch>
void on_device(const at::Tensor& tensor, Launch launch) {
  const c10::cuda::CUDAGuard guard(tensor.device());
  AT_DISPATCH_FLOATING_TYPES(tensor.scalar_type(), "pair_rows",
                             [&] { launch(scalar_t{}, c10::cuda::getCurrentCUDAStream().stream()); });
}

at::Tensor pair_dot_on_gpu(const at::Tensor& x, const at::Tensor& ids, const at::Tensor& table, std::int64_t column) {
  const auto out = at::empty(ids.sizes(), x.options());
  on_device(x, [&](auto zero, void* stream) {
    using T = decltype(zero);
    cuda::launch_pair_dot(rows_of<T>(ids, table, column, x.size(1)), x.const_data_ptr<T>(), out.mutable_data_ptr<T>(),
                          ids.numel(), stream);
  });
  return out;
}

at::Tensor pair_sum_on_gpu(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table,
                           std::int64_t column, std::int64_t d) {
  const auto y = at::empty({ids.size(0), d}, weights.options());
  on_device(weights, [&](auto zero, void* stream) {
    using T = decltype(zero);
    cuda::launch_pair_sum(rows_of<T>(ids, table, column, d), weights.const_data_ptr<T>(), y.mutable_data_ptr<T>(),
                          ids.size(0), stream);
  });
  return y;
}

void add_pair_grads_on_gpu(const at::Tensor& ids, const std::vector<PairGrads>& parts, RowGrad& grad) {
  const auto [sorted, order] = at::sort(ids.flatten(), /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const auto [rows, inverse, counts] = at::unique_consecutive(sorted, /*return_inverse=*/false, /*return_counts=*/true);
  const auto starts = at::cat({at::zeros({1}, counts.options()), counts.cumsum(0)});
  const cuda::PairsOfRows pairs{ids.size(1), order.const_data_ptr<std::int64_t>(),
                                starts.const_data_ptr<std::int64_t>()};
  std::vector<at::Tensor> sums;
  for (const auto& [weights, source] : parts) {
    sums.push_back(at::empty({rows.size(0), source.size(1)}, source.options()));
    on_device(source, [&](auto zero, void* stream) {
      using T = decltype(zero);
      cuda::launch_row_sums(pairs, weights.const_data_ptr<T>(), source.const_data_ptr<T>(),
                            sums.back().mutable_data_ptr<T>(), rows.size(0), source.size(1), stream);
    });
  }
  grad.add(rows, at::cat(sums, 1));
}
#endif

}  // namespace

at::Tensor PlainPairs::dot(const at::Tensor& x, const at::Tensor& ids, const at::Tensor& table, std::int64_t column) {
#ifdef PEERLESS_CUDA
  if (x.is_cuda()) return pair_dot_on_gpu(x, ids, table, column);
#endif
  const auto out = at::empty(ids.sizes(), x.options());
  for_pieces(ids.size(0), piece_size(ids, x.size(1)), [&](std::int64_t first, std::int64_t n) {
    const auto rows = gather(ids.narrow(0, first, n), table, column, x.size(1));
    out.narrow(0, first, n).copy_(at::bmm(rows, x.narrow(0, first, n).unsqueeze(2)).squeeze(2));
  });
  return out;
}

at::Tensor PlainPairs::sum(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table,
                           std::int64_t column, std::int64_t d) {
#ifdef PEERLESS_CUDA
  if (weights.is_cuda()) return pair_sum_on_gpu(weights, ids, table, column, d);
#endif
  const auto y = at::empty({ids.size(0), d}, weights.options());
  for_pieces(ids.size(0), piece_size(ids, d), [&](std::int64_t first, std::int64_t n) {
    const auto rows = gather(ids.narrow(0, first, n), table, column, d);
    y.narrow(0, first, n).copy_(at::bmm(weights.narrow(0, first, n).unsqueeze(1), rows).squeeze(1));
  });
  return y;
}

void PlainPairs::add_grads(const at::Tensor& ids, const std::vector<PairGrads>& parts, RowGrad& grad) {
#ifdef PEERLESS_CUDA
  if (ids.is_cuda()) return add_pair_grads_on_gpu(ids, parts, grad);
#endif
  for_pieces(ids.size(0), piece_size(ids, grad.buffer().size(1)), [&](std::int64_t first, std::int64_t n) {
    std::vector<at::Tensor> of_pairs;
    for (const auto& [weights, source] : parts)
      of_pairs.push_back(weights.narrow(0, first, n).unsqueeze(2) * source.narrow(0, first, n).unsqueeze(1));
    const auto [rows, sums] = sum_rows(ids.narrow(0, first, n).flatten(), at::cat(of_pairs, 2).flatten(0, 1));
    grad.add(rows, sums);
  });
}

}  // namespace peerless
