#include "peerless/ops/product_key.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros_like.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <tuple>

#include "src/ops/kernels/product_key.h"
#include "src/ops/once_differentiable.h"
#include "src/ops/pieces.h"
#include "src/ops/sum_rows.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kRowsAtLeast = 64;  // (token, head)s of a thread
constexpr std::int64_t kTokensAtLeast = 16;
constexpr std::int64_t kPieceElements = 1 << 20;  // half scores at a time, which second-level caches nearly hold
constexpr std::int64_t kMostKeys = 46340;         // of a half: n * n ids must fit int32

constexpr std::int64_t kPieceOfGpu = 1 << 26;  // which keep it busy

// Tokens of a piece, of which each needs `elements` of scratch.
std::int64_t piece_size(std::int64_t elements, std::int64_t of_piece = kPieceElements) {
  return std::max<std::int64_t>(1, of_piece / elements);
}

// Half scores, seen as [tokens, h, 2, n]. Keys that heads share meet all their queries in one product. `room` holds the
// scores, resized as needed: the memory of one piece serves the next.
at::Tensor score_halves(const at::Tensor& queries, const at::Tensor& keys, at::Tensor room) {
  const std::int64_t tokens = queries.size(0), heads = queries.size(1), width = keys.size(3), sets = keys.size(0);
  const auto q = queries.view({tokens * heads / sets, sets * 2, width}).transpose(0, 1);
  room.resize_({0});
  at::bmm_out(room, q, keys.flatten(0, 1).transpose(1, 2));  // [sets * 2, tokens * heads / sets, n]
  return room.view({sets, 2, tokens, heads / sets, keys.size(2)}).permute({2, 0, 3, 1, 4}).flatten(1, 2);
}

// ---- By kernels ----------------------------------------------------------------------------------------------------

template <class T>
kernels::ProductKey<T> kernel_arguments(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k) {
  return {.num_heads = queries.size(1),
          .num_keys = keys.size(2),
          .width = keys.size(3),
          .k = k,
          .shared = keys.size(0) == 1,
          .queries = queries.const_data_ptr<T>(),
          .keys = keys.const_data_ptr<T>()};
}

struct ProductKey : torch::autograd::Function<ProductKey> {
  static variable_list forward(AutogradContext* context, const at::Tensor& queries, const at::Tensor& keys,
                               std::int64_t k) {
    const std::int64_t tokens = queries.size(0), heads = queries.size(1), n = keys.size(2);
    const auto scores = at::empty({tokens, heads, k}, queries.options());
    const auto ids = at::empty({tokens, heads, k}, queries.options().dtype(at::kInt));
    const auto room = at::empty({0}, queries.options());
    AT_DISPATCH_FLOATING_TYPES(queries.scalar_type(), "product_key_top_k", [&] {
      for_pieces(tokens, piece_size(heads * 2 * n), [&](std::int64_t begin, std::int64_t count) {
        const auto half_scores = score_halves(queries.narrow(0, begin, count), keys, room);
        const kernels::HalfScores<scalar_t> view{half_scores.const_data_ptr<scalar_t>(), half_scores.stride(0),
                                                 half_scores.stride(1), half_scores.stride(2)};
        at::parallel_for(0, count * heads, kRowsAtLeast, [&](std::int64_t first, std::int64_t last) {
          kernels::product_key_top_k(view, heads, n, k, scores.mutable_data_ptr<scalar_t>() + begin * heads * k,
                                     ids.mutable_data_ptr<std::int32_t>() + begin * heads * k, first, last);
        });
      });
    });
    context->save_for_backward({queries, keys, ids});
    context->mark_non_differentiable({ids});
    return {scores, ids};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("product_key_top_k");
    const auto saved = context->get_saved_variables();
    const auto &queries = saved[0], &keys = saved[1], &ids = saved[2];
    const std::int64_t tokens = queries.size(0), k = ids.size(2);
    const auto grad_scores = grads[0].contiguous();
    const auto grad_queries = at::empty_like(queries);
    const auto grad_keys = at::zeros_like(keys);
    // As many owners as threads; which of them owns a key changes no bit of its gradient.
    const std::int64_t n = keys.size(2), halves = keys.size(0) * 2;
    const std::int64_t ranges = std::min(n, (at::get_num_threads() + halves - 1) / halves);
    AT_DISPATCH_FLOATING_TYPES(queries.scalar_type(), "product_key_top_k_backward", [&] {
      const auto arguments = kernel_arguments<scalar_t>(queries, keys, k);
      const auto* const id = ids.const_data_ptr<std::int32_t>();
      const auto* const grad = grad_scores.const_data_ptr<scalar_t>();
      at::parallel_for(0, tokens, kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::product_key_grad_queries(arguments, id, grad, grad_queries.mutable_data_ptr<scalar_t>(), first, last);
      });
      at::parallel_for(0, halves * ranges, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t part = first; part < last; ++part) {
          const std::int64_t half = part / ranges, range = part % ranges;
          kernels::product_key_grad_keys(arguments, id, grad, tokens,
                                         {half / 2, half % 2, range * n / ranges, (range + 1) * n / ranges},
                                         grad_keys.mutable_data_ptr<scalar_t>());
        }
      });
    });
    return {grad_queries, grad_keys, {}};
  }
};

// ---- By ATen operators ---------------------------------------------------------------------------------------------

// The k best of the last dimension, descending, and their places; of equal values the first.
std::tuple<at::Tensor, at::Tensor> top_k(const at::Tensor& values, std::int64_t k) {
  const auto [sorted, places] = at::sort(values, /*stable=*/true, /*dim=*/-1, /*descending=*/true);
  return {sorted.narrow(-1, 0, k), places.narrow(-1, 0, k)};
}

// The k best of [.., k * k] sums, which are exactly sums + errors; of equal ones the lowest id.
Retrieved best_sums(const at::Tensor& sums, const at::Tensor& errors, const at::Tensor& ids, std::int64_t k) {
  auto order = std::get<1>(ids.sort());
  for (const auto& key : {errors, sums})  // stable sorts, the most important last
    order = order.gather(-1, std::get<1>(top_k(key.gather(-1, order), key.size(-1))));
  order = order.narrow(-1, 0, k);
  return {sums.gather(-1, order), ids.gather(-1, order)};
}

// Scores and ids [T, h, k] of the best.
Retrieved retrieve(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k) {
  const auto [values, columns] = top_k(score_halves(queries, keys, at::empty({0}, queries.options())), k);
  const auto a = values.select(2, 0).unsqueeze(-1), b = values.select(2, 1).unsqueeze(-2);
  const auto sums = a + b;
  const auto b_taken = sums - a;
  const auto errors = (a - (sums - b_taken)) + (b - b_taken);  // as kernels/product_key.cpp has it
  const auto ids = columns.select(2, 0).unsqueeze(-1) * keys.size(2) + columns.select(2, 1).unsqueeze(-2);
  return best_sums(sums.flatten(-2), errors.flatten(-2), ids.flatten(-2), k);
}

// Where each half of each id lies in keys [h or 1, 2, n, c] seen as [.., c]: [T, h, 2, k].
at::Tensor key_rows(const at::Tensor& ids, const at::Tensor& keys) {
  const std::int64_t n = keys.size(2);
  const auto wide = ids.to(at::kLong);
  const auto half_keys = at::stack({wide.floor_divide(n), wide.remainder(n) + n}, 2);
  if (keys.size(0) == 1) return half_keys;
  return half_keys + at::arange(ids.size(1), wide.options()).view({1, -1, 1, 1}) * (2 * n);
}

at::Tensor gather(const at::Tensor& keys, const at::Tensor& rows) {
  auto shape = rows.sizes().vec();
  shape.push_back(keys.size(3));
  return keys.flatten(0, 2).index_select(0, rows.flatten()).view(shape);
}

struct PlainProductKey : torch::autograd::Function<PlainProductKey> {
  static std::int64_t piece(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k) {
    return piece_size(2 * queries.size(1) * std::max({keys.size(2), k * k, k * keys.size(3)}),
                      queries.is_cpu() ? kPieceElements : kPieceOfGpu);
  }

  static variable_list forward(AutogradContext* context, const at::Tensor& queries, const at::Tensor& keys,
                               std::int64_t k) {
    const auto scores = at::empty({queries.size(0), queries.size(1), k}, queries.options());
    const auto ids = at::empty_like(scores, at::kInt);
    for_pieces(queries.size(0), piece(queries, keys, k), [&](std::int64_t begin, std::int64_t count) {
      const auto best = retrieve(queries.narrow(0, begin, count), keys, k);
      ids.narrow(0, begin, count).copy_(best.ids);
      scores.narrow(0, begin, count).copy_(best.scores);
    });
    context->save_for_backward({queries, keys, ids});
    context->mark_non_differentiable({ids});
    return {scores, ids};
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("product_key_top_k");
    const auto saved = context->get_saved_variables();
    const auto &queries = saved[0], &keys = saved[1], &ids = saved[2];
    const auto grad_queries = at::empty_like(queries), grad_keys = at::zeros_like(keys);
    for_pieces(queries.size(0), piece(queries, keys, ids.size(2)), [&](std::int64_t begin, std::int64_t count) {
      const auto grad = grads[0].narrow(0, begin, count).unsqueeze(2).unsqueeze(-1);  // [T, h, 1, k, 1]
      const auto rows = key_rows(ids.narrow(0, begin, count), keys);
      grad_queries.narrow(0, begin, count).copy_((grad * gather(keys, rows)).sum(3));
      const auto per_pair = (grad * queries.narrow(0, begin, count).unsqueeze(3)).flatten(0, 3);
      const auto [present, sums] = sum_rows(rows.flatten(), per_pair);
      grad_keys.flatten(0, 2).index_add_(0, present, sums);
    });
    return {grad_queries, grad_keys, {}};
  }
};

template <class Implementation>
Retrieved apply(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k) {
  TORCH_CHECK(queries.dim() == 4 && queries.size(2) == 2 && keys.dim() == 4 && keys.size(1) == 2 &&
                  keys.size(3) == queries.size(3) && (keys.size(0) == 1 || keys.size(0) == queries.size(1)) &&
                  keys.scalar_type() == queries.scalar_type(),
              "product_key_top_k: expected queries [T, h, 2, c] and keys [h or 1, 2, n, c] of one dtype, got ",
              queries.scalar_type(), " ", queries.sizes(), " and ", keys.scalar_type(), " ", keys.sizes());
  const std::int64_t n = keys.size(2);
  TORCH_CHECK(k >= 1 && k <= n && n <= kMostKeys, "product_key_top_k: expected 1 <= k <= n <= ", kMostKeys,
              ", got k = ", k, " and n = ", n);
  const auto out = Implementation::apply(queries.contiguous(), keys.contiguous(), k);
  return {out[0], out[1]};
}

}  // namespace

Retrieved product_key_top_k(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k) {
  if (!queries.is_cpu()) return plain::product_key_top_k(queries, keys, k);
  return apply<ProductKey>(queries, keys, k);
}

Retrieved plain::product_key_top_k(const at::Tensor& queries, const at::Tensor& keys, std::int64_t k) {
  return apply<PlainProductKey>(queries, keys, k);
}

}  // namespace peerless
