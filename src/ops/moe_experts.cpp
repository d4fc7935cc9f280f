#include "peerless/ops/moe_experts.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/LegacyTypeDispatch.h>
#include <ATen/ops/_grouped_mm.h>
#include <ATen/ops/addmm.h>
#include <ATen/ops/arange.h>
#include <ATen/ops/bmm.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/searchsorted.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/zeros_like.h>
#include <ATen/record_function.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <atomic>
#include <functional>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "peerless/ops/mlp_activation.h"
#include "src/ops/group_by_row.h"
#include "src/ops/mlp_activation.h"
#include "src/ops/once_differentiable.h"
#include "src/ops/pair_rows.h"
#include "src/ops/remember.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// ---- The pairs, by expert ------------------------------------------------------------------------------------------

// Pairs (token, choice) in the order in which they are worked on: by expert, and of an expert by token.
struct SortedPairs {
  at::Tensor tokens;  // [M] int64: token of each
  at::Tensor pairs;   // [M] int64: token * K + choice
  at::Tensor places;  // [T, K] int32: where each pair stands
  PairsByRow groups;  // of the experts that have any
};

SortedPairs sort_pairs(const at::Tensor& ids, std::int64_t num_experts) {
  const std::int64_t choices = ids.size(1);
  const auto experts = ids.to(at::kInt).contiguous();
  const auto count = static_cast<std::size_t>(experts.numel());
  SortedPairs sorted;
  sorted.tokens = at::empty({experts.numel()}, at::kLong);
  sorted.pairs = at::empty({experts.numel()}, at::kLong);
  sorted.places = at::empty_like(experts);
  sorted.groups = group_by_row({experts.const_data_ptr<std::int32_t>(), count}, num_experts);
  auto* const tokens = sorted.tokens.mutable_data_ptr<std::int64_t>();
  auto* const pairs = sorted.pairs.mutable_data_ptr<std::int64_t>();
  auto* const places = sorted.places.mutable_data_ptr<std::int32_t>();
  for (std::size_t place = 0; place < count; ++place) {
    const std::int32_t pair = sorted.groups.order[place];
    tokens[place] = pair / choices;
    pairs[place] = pair;
    places[pair] = static_cast<std::int32_t>(place);
  }
  return sorted;
}

// Some pairs of one expert.
struct Piece {
  std::int64_t expert, first, count;
};

// Those of an expert of one size, the largest first: so threads that take turns end together.
std::vector<Piece> pieces_of(const PairsByRow& groups, std::int64_t at_most) {
  const auto ceiling = [](std::int64_t a, std::int64_t b) { return (a + b - 1) / b; };
  std::vector<Piece> pieces;
  for (std::size_t r = 0; r < groups.rows.size(); ++r) {
    const std::int64_t count = groups.starts[r + 1] - groups.starts[r], size = ceiling(count, ceiling(count, at_most));
    for (std::int64_t first = 0; first < count; first += size)
      pieces.push_back({groups.rows[r], groups.starts[r] + first, std::min(size, count - first)});
  }
  std::ranges::stable_sort(pieces, std::greater<>(), &Piece::count);
  return pieces;
}

// Runs work(i) for all i < count: each thread takes the next one as soon as it is free. Products inside use one thread,
// also of a single piece: a region of two threads or more is a parallel one.
template <class Work>
void take_turns(std::int64_t count, Work work) {
  std::atomic<std::int64_t> next{0};
  const auto threads = std::clamp<std::int64_t>(count, 2, std::max(2, at::get_num_threads()));
  at::parallel_for(0, threads, 1, [&](std::int64_t, std::int64_t) {
    const at::AutoDispatchBelowADInplaceOrView no_autograd;
    for (std::int64_t i = next++; i < count; i = next++) work(i);
  });
}

// ---- On CPUs -------------------------------------------------------------------------------------------------------

// Large enough for products at full speed, which rearrange both matrices first; small enough to keep many threads busy.
constexpr std::int64_t kTokensOfAPiece = 256;
constexpr std::int64_t kRowsOfAPiece = 256;  // of a weight's gradient

// to = a b, or to += a b, where `to` may be of a wider dtype than the product.
void store_product(const at::Tensor& to, const at::Tensor& a, const at::Tensor& b, bool add) {
  if (to.scalar_type() != a.scalar_type()) {
    const auto product = at::mm(a, b);
    add ? to.add_(product) : to.copy_(product);
  } else if (add) {
    to.addmm_(a, b);
  } else {
    at::mm_out(const_cast<at::Tensor&>(to), a, b);
  }
}

// What products multiply with.
ExpertWeights in_dtype(const ExpertWeights& weights, at::ScalarType dtype) {
  const auto cast = [&](const at::Tensor& weight) { return weight.defined() ? weight.detach().to(dtype) : weight; };
  return {cast(weights.gate), cast(weights.up), cast(weights.down)};
}

struct MoeExperts : torch::autograd::Function<MoeExperts> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& gates,
                            const at::Tensor& ids, const std::optional<at::Tensor>& optional_gate, const at::Tensor& up,
                            const at::Tensor& down, std::int64_t activation) {
    const at::Tensor gate = optional_gate.value_or(at::Tensor());
    auto sorted = sort_pairs(ids, up.size(0));
    const auto compute = x.scalar_type();
    const auto [gate_w, up_w, down_w] = in_dtype({gate, up, down}, compute);
    const std::int64_t num_pairs = ids.numel();
    const auto gate_x = gate.defined() ? at::empty({num_pairs, gate.size(1)}, x.options()) : at::Tensor();
    const auto up_x = at::empty({num_pairs, up.size(1)}, x.options());
    const auto out = at::empty({num_pairs, x.size(1)}, up.options().requires_grad(false));
    const auto pieces = pieces_of(sorted.groups, kTokensOfAPiece);
    take_turns(std::ssize(pieces), [&](std::int64_t i) {
      const auto [expert, first, count] = pieces[static_cast<std::size_t>(i)];
      const auto some = [first = first, count = count](const at::Tensor& t) { return t.narrow(0, first, count); };
      const auto some_x = x.index_select(0, some(sorted.tokens));
      if (gate.defined()) store_product(some(gate_x), some_x, gate_w[expert].t(), /*add=*/false);
      store_product(some(up_x), some_x, up_w[expert].t(), /*add=*/false);
      const auto h = at::empty_like(some(up_x));
      activate(static_cast<DenseActivation>(activation), gate.defined() ? some(gate_x) : at::Tensor(), some(up_x), h);
      store_product(some(out), h, down_w[expert].t(), /*add=*/false);
    });
    context->save_for_backward({x, gates, gate, up, down, gate_x, up_x});
    context->saved_data["activation"] = activation;
    const auto y = KernelPairs::sum(gates, sorted.places, out, 0, out.size(1)).to(compute);
    remember(context, std::move(sorted));
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("moe_experts");
    const auto saved = context->get_saved_variables();
    const auto activation = static_cast<DenseActivation>(context->saved_data["activation"].toInt());
    const auto &x = saved[0], &gates = saved[1], &gate = saved[2], &up = saved[3], &down = saved[4];
    return Backward(x, gates, recall<SortedPairs>(context), {gate, up, down}, saved[5], saved[6], grads[0].contiguous(),
                    activation)
        .run();
  }

  // In two halves: pieces of tokens, which give the gradients of x and gates and lay out what the weights' products
  // need; then pieces of weights, each of which has one owner who multiplies all tokens of its expert.
  class Backward {
   public:
    Backward(const at::Tensor& x, const at::Tensor& gates, const SortedPairs& sorted, const ExpertWeights& weights,
             const at::Tensor& gate_x, const at::Tensor& up_x, const at::Tensor& grad_y, DenseActivation activation)
        : x_(x),
          gates_(gates),
          weights_(weights),
          gate_x_(gate_x),
          up_x_(up_x),
          grad_y_(grad_y),
          activation_(activation),
          sorted_(sorted) {
      const std::int64_t pairs = sorted.pairs.numel();
      for (auto* const rows : {&x_rows_, &grad_rows_}) *rows = at::empty({pairs, x.size(1)}, x.options());
      for (auto* const rows : {&h_rows_, &grad_up_rows_}) *rows = at::empty_like(up_x);
      if (gate_x.defined()) grad_gate_rows_ = at::empty_like(gate_x);
      grad_x_rows_ = at::empty({pairs, x.size(1)}, gates.options());
    }

    variable_list run() {
      const auto grad_gates = at::empty_like(gates_);
      differentiate_tokens(grad_gates.view({-1}));
      accumulate();
      return {KernelPairs::sum({}, sorted_.places, grad_x_rows_, 0, grad_x_rows_.size(1)).to(x_.scalar_type()),
              grad_gates,
              {},
              {},
              {},
              {},
              {}};
    }

   private:
    void differentiate_tokens(const at::Tensor& grad_gates) {
      const auto [gate_w, up_w, down_w] = in_dtype(weights_, x_.scalar_type());
      const auto flat_gates = gates_.view({-1});
      const auto pieces = pieces_of(sorted_.groups, kTokensOfAPiece);
      take_turns(std::ssize(pieces), [&](std::int64_t i) {
        const auto [expert, first, count] = pieces[static_cast<std::size_t>(i)];
        const auto some = [first = first, count = count](const at::Tensor& t) {
          return t.defined() ? t.narrow(0, first, count) : t;
        };
        const auto tokens = some(sorted_.tokens), pairs = some(sorted_.pairs);
        const auto grad_gate = some(grad_gate_rows_), grad_up = some(grad_up_rows_);
        auto some_x = some(x_rows_), grad_out = some(grad_rows_);  // of the expert's output times its gate
        at::index_select_out(some_x, x_, 0, tokens);
        at::index_select_out(grad_out, grad_y_, 0, tokens);
        const auto weight = flat_gates.index_select(0, pairs).to(x_.scalar_type());
        const auto grad_weight = at::empty({count}, grad_gates.options());
        weighted_activation_gradients(activation_, some(gate_x_), some(up_x_), weight, at::mm(grad_out, down_w[expert]),
                                      some(h_rows_), grad_gate, grad_up, grad_weight);
        grad_gates.index_copy_(0, pairs, grad_weight);
        store_product(some(grad_x_rows_), grad_up, up_w[expert], /*add=*/false);
        if (grad_gate.defined()) store_product(some(grad_x_rows_), grad_gate, gate_w[expert], /*add=*/true);
      });
    }

    // Rows of one expert's weight gradient: grad += left^T right over its pairs. left [M, rows], right [M, columns]
    struct Slice {
      at::Tensor grad, left, right;
      std::int64_t expert, first, count, row;
    };

    // Of all three weights at once, the largest first: so threads that take turns end together.
    void accumulate() {
      const auto& groups = sorted_.groups;
      std::vector<Slice> slices;
      const auto add = [&](const at::Tensor& weight, const at::Tensor& left, const at::Tensor& right) {
        if (!weight.defined() || !weight.requires_grad()) return;
        if (!weight.grad().defined())
          weight.mutable_grad() = at::zeros_like(weight, weight.options().requires_grad(false));
        for (std::size_t group = 0; group < groups.rows.size(); ++group)
          for (std::int64_t row = 0; row < weight.size(1); row += kRowsOfAPiece)
            slices.push_back({weight.grad(), left, right, groups.rows[group], groups.starts[group],
                              groups.starts[group + 1] - groups.starts[group], row});
      };
      add(weights_.gate, grad_gate_rows_, x_rows_);
      add(weights_.up, grad_up_rows_, x_rows_);
      add(weights_.down, grad_rows_, h_rows_);
      std::ranges::stable_sort(slices, std::greater<>(), &Slice::count);
      take_turns(std::ssize(slices), [&](std::int64_t i) {
        const auto& [grad, left, right, expert, first, count, row] = slices[static_cast<std::size_t>(i)];
        const std::int64_t height = std::min(kRowsOfAPiece, grad.size(1) - row);
        store_product(grad[expert].narrow(0, row, height), left.narrow(0, first, count).narrow(1, row, height).t(),
                      right.narrow(0, first, count),
                      /*add=*/true);
      });
    }

    const at::Tensor &x_, &gates_;
    const ExpertWeights weights_;
    const at::Tensor &gate_x_, &up_x_, grad_y_;
    DenseActivation activation_;
    const SortedPairs& sorted_;
    // By place of a pair: its token's x and gradient, h times its gate, and the gradients inside the expert.
    at::Tensor x_rows_, grad_rows_, h_rows_, grad_gate_rows_, grad_up_rows_, grad_x_rows_;
  };
};

void check(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids, const ExpertWeights& weights,
           DenseActivation activation) {
  const auto &up = weights.up, &down = weights.down;
  TORCH_CHECK(weights.gate.defined() == gated(activation),
              "moe_experts: a gate belongs to gated activations, and to them alone");
  TORCH_CHECK(up.dim() == 3 && down.dim() == 3 && up.size(0) == down.size(0) && up.size(1) == down.size(2) &&
                  up.size(2) == down.size(1) && (!weights.gate.defined() || weights.gate.sizes() == up.sizes()),
              "moe_experts: expected up (and gate) [E, F, D] and down [E, D, F], got ", up.sizes(), " and ",
              down.sizes());
  TORCH_CHECK(x.dim() == 2 && x.size(1) == up.size(2), "moe_experts: expected x [T, ", up.size(2), "], got ",
              x.sizes());
  TORCH_CHECK(
      ids.dim() == 2 && ids.size(0) == x.size(0) && ids.scalar_type() == at::kLong && gates.sizes() == ids.sizes(),
      "moe_experts: expected int64 ids [T, K] and gates [T, K] for x ", x.sizes(), ", got ", ids.scalar_type(), " ",
      ids.sizes(), " and ", gates.sizes());
  for (const auto& weight : {weights.gate, up, down})
    TORCH_CHECK(!weight.defined() || weight.is_leaf(),
                "moe_experts: weights must be leaves, their gradients go straight to .grad");
  TORCH_CHECK(ids.numel() <= std::numeric_limits<std::int32_t>::max(),
              "moe_experts: too many pairs in one call: ", ids.numel());
}

// With zeros behind each of the last two dimensions, up to a multiple.
at::Tensor padded(const at::Tensor& t, std::int64_t multiple) {
  const auto missing = [&](std::int64_t dim) { return (multiple - t.size(dim) % multiple) % multiple; };
  const std::int64_t last = missing(-1), before = t.dim() > 2 ? missing(-2) : 0;
  return last + before > 0 ? at::constant_pad_nd(t, {0, last, 0, before}) : t;
}

}  // namespace

at::Tensor moe_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids,
                       const ExpertWeights& weights, DenseActivation activation) {
  if (!x.is_cpu()) return plain::moe_experts(x, gates, ids, weights, activation);
  check(x, gates, ids, weights, activation);
  RECORD_FUNCTION("peerless::moe_experts", std::vector<c10::IValue>({ids, x}));  // for profilers
  return MoeExperts::apply(x.contiguous(), gates.to(weights.up.scalar_type()).contiguous(), ids.contiguous(),
                           std::optional(weights.gate), weights.up, weights.down,
                           static_cast<std::int64_t>(activation));
}

at::Tensor plain::moe_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids,
                              const ExpertWeights& weights, DenseActivation activation) {
  check(x, gates, ids, weights, activation);
  const std::int64_t tokens = x.size(0), choices = ids.size(1), num_experts = weights.up.size(0);
  const auto [experts, order] = at::sort(ids.flatten(), /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const auto places = std::get<1>(at::sort(order));
  const auto ends =
      at::searchsorted(experts, at::arange(num_experts, ids.options()), /*out_int32=*/true, /*right=*/true);
  const std::int64_t multiple = 16 / x.element_size();  // activations of zero are zero, so padding changes nothing
  const auto product = [&](const at::Tensor& rows, const at::Tensor& weight) {
    return at::_grouped_mm(rows, padded(weight.to(rows.scalar_type()), multiple).transpose(1, 2), ends);
  };
  const auto of_pairs = [&](const at::Tensor& t) { return t.unsqueeze(1).expand({tokens, choices, t.size(1)}); };
  // Through [T, K, D], so that backward adds up a token's pairs in order instead of as they come.
  const auto sorted_x = padded(of_pairs(x).reshape({-1, x.size(1)}).index_select(0, order), multiple);
  const auto gate = weights.gate.defined() ? product(sorted_x, weights.gate) : at::Tensor();
  const auto h = peerless::mlp_activation(activation, gate, product(sorted_x, weights.up));
  const auto out =
      product(h, weights.down).narrow(1, 0, x.size(1)).index_select(0, places).view({tokens, choices, x.size(1)});
  const auto wide = weights.up.scalar_type();
  return at::bmm(gates.to(wide).unsqueeze(1), out.to(wide)).squeeze(1).to(x.scalar_type());
}

}  // namespace peerless
