#include "peerless/ops/gather_sum.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>
#include <memory>
#include <vector>

#include "src/ops/gathered_rows.h"
#include "src/ops/kernels/gather_sum.h"
#include "src/ops/once_differentiable.h"
#include "src/ops/pair_rows.h"
#include "src/ops/remember.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kTokensAtLeast = 8;  // of a thread

// What both ways share: they differ in `sum` and `backward` alone.
template <class Way>
struct GatherSum : torch::autograd::Function<GatherSum<Way>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weights, const at::Tensor& ids,
                            const at::Tensor& table, const std::shared_ptr<RowGrad>& table_grad) {
    context->save_for_backward({weights, ids, table});
    remember(context, table_grad);
    return Way::sum(weights, ids, table);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("gather_sum");
    const auto saved = context->get_saved_variables();
    const auto& table_grad = recall<std::shared_ptr<RowGrad>>(context);
    RowGrad* const row_grad = context->needs_input_grad(2) ? table_grad.get() : nullptr;
    return {Way::backward(saved[0], saved[1], saved[2], grads[0].contiguous(), row_grad), {}, {}, {}};
  }
};

struct ByKernels {
  static at::Tensor sum(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table) {
    const auto y = at::empty({ids.size(0), table.size(1)}, weights.options());
    AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "gather_sum", [&] {
      const auto rows = gathered_rows<scalar_t>(ids, table);
      at::parallel_for(0, ids.size(0), kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::gather_sum(rows, weights.const_data_ptr<scalar_t>(), y.mutable_data_ptr<scalar_t>(), first, last);
      });
    });
    return y;
  }

  static at::Tensor backward(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table,
                             const at::Tensor& grad_y, RowGrad* row_grad) {
    const auto grad_weights = at::empty_like(weights);
    AT_DISPATCH_FLOATING_TYPES(table.scalar_type(), "gather_sum_backward", [&] {
      const auto rows = gathered_rows<scalar_t>(ids, table);
      const scalar_t* const grad = grad_y.const_data_ptr<scalar_t>();
      at::parallel_for(0, ids.size(0), kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::gather_dot(rows, grad, grad_weights.mutable_data_ptr<scalar_t>(), first, last);
      });
      if (!row_grad) return;
      const scalar_t* const w = weights.const_data_ptr<scalar_t>();
      add_row_grads<scalar_t>(ids, *row_grad, [&](const kernels::RowSlots& slots, scalar_t* buffer, auto... range) {
        kernels::gather_sum_rows(rows, w, grad, slots, buffer, range...);
      });
    });
    return grad_weights;
  }
};

struct ByPairs {
  static at::Tensor sum(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table) {
    return pair_sum(weights, ids, table, /*column=*/0, table.size(1));
  }

  static at::Tensor backward(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& table,
                             const at::Tensor& grad_y, RowGrad* row_grad) {
    if (row_grad) add_pair_grads(ids, {{weights, grad_y}}, *row_grad);
    return pair_dot(grad_y, ids, table, /*column=*/0);
  }
};

template <class Way>
at::Tensor apply(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table) {
  const auto& rows = table.weight();
  TORCH_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kInt && weights.sizes() == ids.sizes(),
              "gather_sum: expected int32 ids [T, P] and weights [T, P], got ", ids.scalar_type(), " ", ids.sizes(),
              " and ", weights.sizes());
  TORCH_CHECK(ids.numel() <= std::numeric_limits<std::int32_t>::max(),
              "gather_sum: too many pairs in one call: ", ids.numel());
  RECORD_FUNCTION("peerless::gather_sum", std::vector<c10::IValue>({ids, rows}));  // for profilers
  return GatherSum<Way>::apply(weights.to(rows.scalar_type()).contiguous(), ids.contiguous(), rows, table.grad());
}

}  // namespace

at::Tensor gather_sum(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table) {
  if (!ids.is_cpu()) return plain::gather_sum(weights, ids, table);
  return apply<ByKernels>(weights, ids, table);
}

at::Tensor plain::gather_sum(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table) {
  return apply<ByPairs>(weights, ids, table);
}

}  // namespace peerless
