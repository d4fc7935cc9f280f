#include "peerless/ops/peer_experts.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/ones_like.h>
#include <ATen/ops/relu.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <limits>
#include <vector>

#include "peerless/dist/collectives.h"
#include "src/ops/gathered_rows.h"
#include "src/ops/kernels/peer_experts.h"
#include "src/ops/once_differentiable.h"
#include "src/ops/pair_rows.h"
#include "src/ops/remember.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kTokensAtLeast = 8;  // of a thread

// What the two halves of an operator share beside tensors.
struct Stage {
  std::shared_ptr<RowGrad> rows;
  Activation activation;
  bool glu;
  Communicator* group = nullptr;  // the processes that have the other columns; null: none has
};

// ---- By kernels ----------------------------------------------------------------------------------------------------

template <class T>
kernels::PeerExperts<T> kernel_arguments(const Stage& stage, const at::Tensor& x, const at::Tensor& gates,
                                         const at::Tensor& ids, const at::Tensor& weight, const at::Tensor& pre,
                                         const at::Tensor& linear) {
  return {.rows = gathered_rows<T>(ids, weight),
          .d = x.size(1),
          .activation = stage.activation,
          .glu = stage.glu,
          .x = x.const_data_ptr<T>(),
          .gates = gates.const_data_ptr<T>(),
          .pre = pre.mutable_data_ptr<T>(),
          .linear = linear.mutable_data_ptr<T>()};
}

struct PeerExperts : torch::autograd::Function<PeerExperts> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gates,
                            const at::Tensor& ids, const at::Tensor& weight, const Stage& stage) {
    const auto y = at::empty_like(x);
    const auto pre = at::empty_like(gates);
    const auto linear = stage.glu ? at::empty_like(gates) : at::empty({0}, gates.options());
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "peer_experts", [&] {
      const auto peer = kernel_arguments<scalar_t>(stage, x, gates, ids, weight, pre, linear);
      scalar_t* const out = y.mutable_data_ptr<scalar_t>();
      at::parallel_for(0, x.size(0), kTokensAtLeast,
                       [&](std::int64_t first, std::int64_t last) { kernels::peer_forward(peer, out, first, last); });
    });
    context->save_for_backward({x, gates, ids, weight, pre, linear});
    remember(context, stage);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("peer_experts");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &gates = saved[1], &ids = saved[2], &weight = saved[3], &pre = saved[4],
               &linear = saved[5];
    const auto& stage = recall<Stage>(context);
    const auto grad_y = grads[0].contiguous();
    const auto grad_x = at::empty_like(x), grad_gates = at::empty_like(gates);
    const auto grad_u = at::empty_like(pre), grad_w = at::empty_like(linear), grad_v = at::empty_like(pre);
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "peer_experts_backward", [&] {
      const auto peer = kernel_arguments<scalar_t>(stage, x, gates, ids, weight, pre, linear);
      const scalar_t* const grad_out = grad_y.const_data_ptr<scalar_t>();
      const kernels::PeerPairGrads<scalar_t> pairs{.u = grad_u.mutable_data_ptr<scalar_t>(),
                                                   .w = grad_w.mutable_data_ptr<scalar_t>(),
                                                   .v = grad_v.mutable_data_ptr<scalar_t>()};
      at::parallel_for(0, x.size(0), kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::peer_backward_tokens(peer, grad_out, grad_x.mutable_data_ptr<scalar_t>(),
                                      grad_gates.mutable_data_ptr<scalar_t>(), pairs, first, last);
      });
    });
    std::vector<PairGrads> parts{{grad_u, x}, {grad_v, grad_y}};
    if (stage.glu) parts.insert(parts.begin() + 1, {grad_w, x});
    if (context->needs_input_grad(3)) KernelPairs::add_grads(ids, parts, *stage.rows);
    return {grad_x, grad_gates, {}, {}, {}};
  }
};

// ---- By operators on pairs -----------------------------------------------------------------------------------------

at::Tensor activate(Activation activation, const at::Tensor& s) {
  switch (activation) {
    case Activation::gelu:
      return at::gelu(s);
    case Activation::relu:
      return at::relu(s);
    case Activation::none:
      return s;
  }
  TORCH_CHECK(false, "unknown activation");
}

at::Tensor slope(Activation activation, const at::Tensor& s) {
  switch (activation) {
    case Activation::gelu:
      return at::gelu_backward(at::ones_like(s), s);
    case Activation::relu:
      return s.le(0).logical_not().to(s.scalar_type());  // 1 of what is no number, as its value is kept
    case Activation::none:
      return at::ones_like(s);
  }
  TORCH_CHECK(false, "unknown activation");
}

// Dot products over all columns, of those over the columns here.
void add_other_columns(const Stage& stage, const std::vector<at::Tensor>& dots) {
  if (!stage.group) return;
  std::vector<at::Tensor> flat;
  for (const auto& dot : dots) flat.push_back(dot.view(-1));
  sum(*stage.group, flat);
}

// What a neuron says, before its gate.
at::Tensor value_of(const Stage& stage, const at::Tensor& pre, const at::Tensor& linear) {
  const auto activated = activate(stage.activation, pre);
  return stage.glu ? activated * linear : activated;
}

template <class Pairs>
struct PairwiseExperts : torch::autograd::Function<PairwiseExperts<Pairs>> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gates,
                            const at::Tensor& ids, const at::Tensor& weight, const Stage& stage) {
    const std::int64_t d = x.size(1);
    const auto pre = Pairs::dot(x, ids, weight, 0);
    const auto linear = stage.glu ? Pairs::dot(x, ids, weight, d) : at::Tensor();
    add_other_columns(stage, stage.glu ? std::vector{pre, linear} : std::vector{pre});
    context->save_for_backward({x, gates, ids, weight, pre, linear});
    remember(context, stage);
    return Pairs::sum(gates * value_of(stage, pre, linear), ids, weight, weight.size(1) - d, d);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("peer_experts");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &gates = saved[1], &ids = saved[2], &weight = saved[3], &pre = saved[4],
               &linear = saved[5];
    const auto& stage = recall<Stage>(context);
    const auto grad_y = grads[0].contiguous();
    const std::int64_t d = x.size(1);
    const auto of_columns = Pairs::dot(grad_y, ids, weight, weight.size(1) - d);
    const auto grad_neuron = stage.group ? of_columns.clone() : of_columns;  // before its gate
    add_other_columns(stage, {grad_neuron});
    const auto value = value_of(stage, pre, linear);
    auto grad_u = gates * grad_neuron * slope(stage.activation, pre);
    if (stage.glu) grad_u = grad_u * linear;
    auto grad_x = Pairs::sum(grad_u, ids, weight, 0, d);
    std::vector<PairGrads> parts{{grad_u, x}};
    if (stage.glu) {
      parts.push_back({gates * grad_neuron * activate(stage.activation, pre), x});
      grad_x += Pairs::sum(parts.back().weights, ids, weight, d, d);
    }
    parts.push_back({gates * value, grad_y});
    if (context->needs_input_grad(3)) Pairs::add_grads(ids, parts, *stage.rows);
    return {grad_x, of_columns * value, {}, {}, {}};
  }
};

template <class Implementation>
at::Tensor apply(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids, const RowTable& table,
                 Activation activation, bool glu, Communicator* group = nullptr) {
  const auto& weight = table.weight();
  TORCH_CHECK(x.dim() == 2 && weight.size(1) == (glu ? 3 : 2) * x.size(1),
              "peer_experts: expected x [T, d] and a table [N, ", glu ? "3d" : "2d", "], got ", x.sizes(), " and ",
              weight.sizes());
  TORCH_CHECK(
      ids.dim() == 2 && ids.size(0) == x.size(0) && ids.scalar_type() == at::kInt && gates.sizes() == ids.sizes(),
      "peer_experts: expected int32 ids [T, P] and gates [T, P] for x ", x.sizes(), ", got ", ids.scalar_type(), " ",
      ids.sizes(), " and ", gates.sizes());
  TORCH_CHECK(ids.numel() <= std::numeric_limits<std::int32_t>::max(),
              "peer_experts: too many pairs in one call: ", ids.numel());
  RECORD_FUNCTION("peerless::peer_experts", std::vector<c10::IValue>({ids, weight}));  // for profilers
  const auto dtype = weight.scalar_type();
  return Implementation::apply(x.to(dtype).contiguous(), gates.to(dtype).contiguous(), ids.contiguous(), weight,
                               Stage{table.grad(), activation, glu, group})
      .to(x.scalar_type());
}

}  // namespace

at::Tensor peer_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids, const RowTable& table,
                        Activation activation, bool glu) {
  if (!x.is_cpu()) return plain::peer_experts(x, gates, ids, table, activation, glu);
  return apply<PeerExperts>(x, gates, ids, table, activation, glu);
}

at::Tensor plain::peer_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids,
                               const RowTable& table, Activation activation, bool glu) {
  return apply<PairwiseExperts<PlainPairs>>(x, gates, ids, table, activation, glu);
}

at::Tensor peer_experts_by_columns(Communicator& group, const at::Tensor& x, const at::Tensor& gates,
                                   const at::Tensor& ids, const RowTable& table, Activation activation, bool glu) {
  if (!x.is_cpu()) return apply<PairwiseExperts<PlainPairs>>(x, gates, ids, table, activation, glu, &group);
  return apply<PairwiseExperts<KernelPairs>>(x, gates, ids, table, activation, glu, &group);
}

}  // namespace peerless
