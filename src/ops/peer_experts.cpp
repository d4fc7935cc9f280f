#include "peerless/ops/peer_experts.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/relu.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

#include <algorithm>
#include <limits>
#include <utility>
#include <vector>

#include "src/ops/group_by_row.h"
#include "src/ops/kernels/peer_experts.h"
#include "src/ops/once_differentiable.h"
#include "src/ops/sum_rows.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kTokensAtLeast = 8;  // of a thread
constexpr std::int64_t kPairsAtLeast = 512;
constexpr std::int64_t kGatheredElements = std::int64_t{1} << 24;  // of table rows, by the plain way at a time

// What the two halves of an operator share beside tensors.
struct Stage : torch::CustomClassHolder {
  Stage(std::shared_ptr<RowGrad> rows_, Activation activation_, bool glu_)
      : rows(std::move(rows_)), activation(activation_), glu(glu_) {}

  std::shared_ptr<RowGrad> rows;
  Activation activation;
  bool glu;
};

void remember(AutogradContext* context, const c10::intrusive_ptr<Stage>& stage) {
  context->saved_data["stage"] = c10::IValue::make_capsule(stage);
}

c10::intrusive_ptr<Stage> recall(AutogradContext* context) {
  return c10::static_intrusive_pointer_cast<Stage>(context->saved_data["stage"].toCapsule());
}

// ---- By kernels ----------------------------------------------------------------------------------------------------

template <class T>
kernels::PeerExperts<T> kernel_arguments(const Stage& stage, const at::Tensor& x, const at::Tensor& gates,
                                         const at::Tensor& ids, const at::Tensor& weight, const at::Tensor& pre,
                                         const at::Tensor& linear) {
  return {.num_chosen = ids.size(1),
          .d = x.size(1),
          .activation = stage.activation,
          .glu = stage.glu,
          .x = x.const_data_ptr<T>(),
          .gates = gates.const_data_ptr<T>(),
          .ids = ids.const_data_ptr<std::int32_t>(),
          .table = weight.const_data_ptr<T>(),
          .pre = pre.mutable_data_ptr<T>(),
          .linear = linear.mutable_data_ptr<T>()};
}

// The second half of backward. Threads get equal shares of the pairs, and own the experts that begin in theirs.
template <class T>
void add_row_grads(const kernels::PeerExperts<T>& peer, const T* grad_y, const kernels::PeerPairGrads<T>& pairs,
                   std::int64_t num_pairs, RowGrad& grad) {
  const PairsByRow groups = group_by_row({peer.ids, static_cast<std::size_t>(num_pairs)}, grad.buffer().size(0));
  const RowGrad::Claim claim = grad.claim(groups.rows);
  const kernels::PeerRows rows{.order = groups.order.data(),
                               .starts = groups.starts.data(),
                               .slots = claim.slots.data(),
                               .squares = grad.squares().mutable_data_ptr<double>(),
                               .first_fresh = claim.first_fresh};
  const auto row_at = [&starts = groups.starts](std::int64_t pair) {
    return std::lower_bound(starts.begin(), starts.end() - 1, pair) - starts.begin();
  };
  T* const buffer = grad.buffer().template mutable_data_ptr<T>();
  at::parallel_for(0, num_pairs, kPairsAtLeast, [&](std::int64_t first, std::int64_t last) {
    kernels::peer_backward_rows(peer, grad_y, pairs, rows, buffer, row_at(first), row_at(last));
  });
}

struct PeerExperts : torch::autograd::Function<PeerExperts> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gates,
                            const at::Tensor& ids, const at::Tensor& weight, const c10::intrusive_ptr<Stage>& stage) {
    const auto y = at::empty_like(x);
    const auto pre = at::empty_like(gates);
    const auto linear = stage->glu ? at::empty_like(gates) : at::empty({0}, gates.options());
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "peer_experts", [&] {
      const auto peer = kernel_arguments<scalar_t>(*stage, x, gates, ids, weight, pre, linear);
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
    const auto stage = recall(context);
    const auto grad_y = grads[0].contiguous();
    const auto grad_x = at::empty_like(x), grad_gates = at::empty_like(gates);
    const auto grad_u = at::empty_like(pre), grad_w = at::empty_like(linear), grad_v = at::empty_like(pre);
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "peer_experts_backward", [&] {
      const auto peer = kernel_arguments<scalar_t>(*stage, x, gates, ids, weight, pre, linear);
      const scalar_t* const grad_out = grad_y.const_data_ptr<scalar_t>();
      const kernels::PeerPairGrads<scalar_t> pairs{.u = grad_u.mutable_data_ptr<scalar_t>(),
                                                   .w = grad_w.mutable_data_ptr<scalar_t>(),
                                                   .v = grad_v.mutable_data_ptr<scalar_t>()};
      at::parallel_for(0, x.size(0), kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::peer_backward_tokens(peer, grad_out, grad_x.mutable_data_ptr<scalar_t>(),
                                      grad_gates.mutable_data_ptr<scalar_t>(), pairs, first, last);
      });
      if (context->needs_input_grad(3)) add_row_grads(peer, grad_out, pairs, ids.numel(), *stage->rows);
    });
    return {grad_x, grad_gates, {}, {}, {}};
  }
};

// ---- By ATen operators ---------------------------------------------------------------------------------------------

// y [T, d] from the tokens' own rows [T, P, W].
at::Tensor run_experts(const Stage& stage, const at::Tensor& x, const at::Tensor& gates, const at::Tensor& rows) {
  const std::int64_t d = x.size(1);
  const auto times_x = [&](std::int64_t column) {
    return at::bmm(rows.narrow(2, column, d), x.unsqueeze(2)).squeeze(2);  // [T, P]
  };
  auto hidden = times_x(0);
  if (stage.activation == Activation::gelu) hidden = at::gelu(hidden);
  if (stage.activation == Activation::relu) hidden = at::relu(hidden);
  if (stage.glu) hidden = hidden * times_x(d);
  return at::bmm((gates * hidden).unsqueeze(1), rows.narrow(2, rows.size(2) - d, d)).squeeze(1);
}

struct PlainPeerExperts : torch::autograd::Function<PlainPeerExperts> {
  // Calls f(first token, number of tokens) for pieces whose rows fit the memory this way may take.
  template <class F>
  static void for_pieces(const at::Tensor& ids, const at::Tensor& weight, F f) {
    const std::int64_t tokens = ids.size(0);
    const std::int64_t piece = std::max<std::int64_t>(1, kGatheredElements / (ids.size(1) * weight.size(1)));
    for (std::int64_t first = 0; first < tokens; first += piece) f(first, std::min(piece, tokens - first));
  }

  static at::Tensor gather(const at::Tensor& weight, const at::Tensor& ids) {
    return weight.index_select(0, ids.flatten()).view({ids.size(0), ids.size(1), weight.size(1)});
  }

  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gates,
                            const at::Tensor& ids, const at::Tensor& weight, const c10::intrusive_ptr<Stage>& stage) {
    const auto y = at::empty_like(x);
    for_pieces(ids, weight, [&](std::int64_t first, std::int64_t n) {
      const auto rows = gather(weight, ids.narrow(0, first, n));
      y.narrow(0, first, n).copy_(run_experts(*stage, x.narrow(0, first, n), gates.narrow(0, first, n), rows));
    });
    context->save_for_backward({x, gates, ids, weight});
    remember(context, stage);
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("peer_experts");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &gates = saved[1], &ids = saved[2], &weight = saved[3];
    const auto stage = recall(context);
    const auto grad_x = at::empty_like(x), grad_gates = at::empty_like(gates);
    for_pieces(ids, weight, [&](std::int64_t first, std::int64_t n) {
      const auto leaf = [](const at::Tensor& t) { return t.detach().requires_grad_(); };
      const auto ids_piece = ids.narrow(0, first, n);
      const variable_list inputs{leaf(x.narrow(0, first, n)), leaf(gates.narrow(0, first, n)),
                                 leaf(gather(weight, ids_piece))};
      at::AutoGradMode enable_grad(true);
      const auto y = run_experts(*stage, inputs[0], inputs[1], inputs[2]);
      const auto piece_grads = torch::autograd::grad({y}, inputs, {grads[0].narrow(0, first, n)});
      at::AutoGradMode disable_grad(false);
      grad_x.narrow(0, first, n).copy_(piece_grads[0]);
      grad_gates.narrow(0, first, n).copy_(piece_grads[1]);
      if (!context->needs_input_grad(3)) return;
      const auto [rows, sums] = sum_rows(ids_piece.flatten(), piece_grads[2].flatten(0, 1));
      stage->rows->add(rows, sums);
    });
    return {grad_x, grad_gates, {}, {}, {}};
  }
};

template <class Implementation>
at::Tensor apply(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids, const RowTable& table,
                 Activation activation, bool glu) {
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
  const auto stage = c10::make_intrusive<Stage>(table.grad(), activation, glu);
  return Implementation::apply(x.to(dtype).contiguous(), gates.to(dtype).contiguous(), ids.contiguous(), weight, stage)
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
  return apply<PlainPeerExperts>(x, gates, ids, table, activation, glu);
}

}  // namespace peerless
