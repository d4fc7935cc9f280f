#include "peerless/model/ffw/experts.h"

#include <ATen/ops/searchsorted.h>

#include <utility>

#include "peerless/dist/collectives.h"
#include "peerless/model/initialization.h"
#include "peerless/ops/moe_experts.h"

namespace peerless {

Experts::Experts(const Build& build, std::int64_t num_experts, std::int64_t d_expert, DenseActivation activation,
                 double output_scale)
    : Module(build.options),
      activation_(activation),
      group_(build.groups.experts),
      held_here_(num_experts / (group_ ? group_->world_size() : 1)) {
  const auto shard = [&](std::int64_t rows, std::int64_t columns) -> Shard {
    const std::vector shape{num_experts, rows, columns};
    return group_ ? Shard{shape, 0, group_->rank(), group_->world_size()} : Shard{shape};
  };
  const auto in = shard(d_expert, build.d_model), out = shard(build.d_model, d_expert);
  if (gated(activation)) gate_ = make_parameter("gate", in, Role::matrix, matrix_init());
  up_ = make_parameter("up", in, Role::matrix, matrix_init());
  down_ = make_parameter("down", out, Role::matrix, Init::normal(output_scale * residual_std(build.n_layers)));
}

at::Tensor Experts::forward(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids) const {
  if (!group_) return moe_experts(x, gates, ids, {gate_, up_, down_}, activation_);
  const std::int64_t tokens = x.size(0), choices = ids.size(1);
  const auto [experts, order] = at::sort(ids.flatten(), /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const auto places = std::get<1>(at::sort(order));
  const auto to = counts_by_holder(experts), from = trade(*group_, to);
  // Through [T, K, D], so that backward adds up a token's rows in order.
  const auto pairs = x.unsqueeze(1).expand({tokens, choices, x.size(1)}).reshape({-1, x.size(1)});
  const auto come = send_rows(*group_, pairs.index_select(0, order), to, from);
  const auto out = run_here(come, send_rows(*group_, experts, to, from) - group_->rank() * held_here_);
  const auto back = send_rows(*group_, out, from, to).index_select(0, places).view({tokens, choices, -1});
  const auto wide = up_.scalar_type();
  return at::bmm(gates.to(wide).unsqueeze(1), back.to(wide)).squeeze(1).to(x.scalar_type());
}

// Of experts in ascending order: how many each process holds.
RowCounts Experts::counts_by_holder(const at::Tensor& experts) const {
  const auto ends = at::arange(1, group_->world_size() + 1, experts.options()) * held_here_;
  const auto before = at::searchsorted(experts, ends).cpu();  // waits for a device
  RowCounts counts;
  for (std::int64_t r = 0, last = 0; r < group_->world_size(); ++r) {
    const std::int64_t end = before.const_data_ptr<std::int64_t>()[r];
    counts.push_back(end - std::exchange(last, end));
  }
  return counts;
}

at::Tensor Experts::run_here(const at::Tensor& rows, const at::Tensor& experts) const {
  const auto one_each = at::ones({rows.size(0), 1}, options());
  return moe_experts(rows, one_each, experts.unsqueeze(1), {gate_, up_, down_}, activation_);
}

}  // namespace peerless
