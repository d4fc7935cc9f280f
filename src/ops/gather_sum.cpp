#include "peerless/ops/gather_sum.h"

#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>
#include <memory>
#include <vector>

#include "src/ops/once_differentiable.h"
#include "src/ops/pair_rows.h"
#include "src/ops/remember.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

template <class Pairs>
struct GatherSum : torch::autograd::Function<GatherSum<Pairs>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& weights, const at::Tensor& ids,
                            const at::Tensor& table, const std::shared_ptr<RowGrad>& table_grad) {
    context->save_for_backward({weights, ids, table});
    remember(context, table_grad);
    return Pairs::sum(weights, ids, table, /*column=*/0, table.size(1));
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("gather_sum");
    const auto saved = context->get_saved_variables();
    const auto &weights = saved[0], &ids = saved[1], &table = saved[2];
    const auto grad_y = grads[0].contiguous();
    if (context->needs_input_grad(2))
      Pairs::add_grads(ids, {{weights, grad_y}}, *recall<std::shared_ptr<RowGrad>>(context));
    return {Pairs::dot(grad_y, ids, table, /*column=*/0), {}, {}, {}};
  }
};

template <class Pairs>
at::Tensor apply(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table) {
  const auto& rows = table.weight();
  TORCH_CHECK(ids.dim() == 2 && ids.scalar_type() == at::kInt && weights.sizes() == ids.sizes(),
              "gather_sum: expected int32 ids [T, P] and weights [T, P], got ", ids.scalar_type(), " ", ids.sizes(),
              " and ", weights.sizes());
  TORCH_CHECK(ids.numel() <= std::numeric_limits<std::int32_t>::max(),
              "gather_sum: too many pairs in one call: ", ids.numel());
  RECORD_FUNCTION("peerless::gather_sum", std::vector<c10::IValue>({ids, rows}));  // for profilers
  return GatherSum<Pairs>::apply(weights.to(rows.scalar_type()).contiguous(), ids.contiguous(), rows, table.grad());
}

}  // namespace

at::Tensor gather_sum(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table) {
  if (!ids.is_cpu()) return plain::gather_sum(weights, ids, table);
  return apply<KernelPairs>(weights, ids, table);
}

at::Tensor plain::gather_sum(const at::Tensor& weights, const at::Tensor& ids, const RowTable& table) {
  return apply<PlainPairs>(weights, ids, table);
}

}  // namespace peerless
