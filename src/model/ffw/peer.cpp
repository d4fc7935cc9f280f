#include "peerless/model/ffw/peer.h"

#include <cmath>

#include "peerless/model/ffw/table_usage.h"
#include "peerless/model/initialization.h"
#include "peerless/ops/exchange.h"
#include "peerless/ops/peer_experts.h"

namespace peerless {
namespace {

double second_moment_of(Activation activation) {
  switch (activation) {
    case Activation::gelu:
      return second_moment(gelu, 1);
    case Activation::relu:
      return 0.5;
    case Activation::none:
      return 1;
  }
  return 1;
}

}  // namespace

PeerConfig PeerConfig::small() {
  PeerConfig config;
  config.num_experts = 16;
  config.heads = 2;
  config.top_k = 3;
  config.d_key = 6;
  return config;
}

Cost PeerConfig::cost(std::int64_t d_model) const {
  const std::int64_t rows = heads * top_k * row_width(d_model);
  Cost cost{.active_parameters = rows,
            .flops = 2.0 * static_cast<double>(rows),
            .kept = static_cast<double>((glu ? 2 : 1) * heads * top_k)};
  cost += routing().cost(d_model);
  if (shared_dense) cost += shared_dense->cost(d_model);
  return cost;
}

std::vector<TableUse> PeerConfig::tables(std::int64_t d_model, std::int64_t layer) const {
  auto start = routing().start();
  start.emplace_back("activation", enum_names(activation)[static_cast<std::size_t>(activation)]);
  start.emplace_back("shared_dense", shared_dense ? "given" : "none");
  return {{table_name(table, layer), num_experts, row_width(d_model), glu ? 3 : 2, std::move(start)}};
}

Peer::Peer(const Build& build, const PeerConfig& config)
    : Ffw(build.options), config_(config), group_(build.groups.tables) {
  const std::int64_t d = build.d_model;
  router_ = register_module("router", std::make_shared<ProductKeyRouter>(d, config.routing(), build.options));
  double variance = config.dense_twin(d).output_variance(d, build.n_layers);
  if (config.shared_dense) {
    variance /= 2;  // half from the experts, half from the branch
    const double scale = std::sqrt(variance / config.shared_dense->output_variance(d, build.n_layers));
    shared_dense_ = register_module("shared_dense", std::make_shared<Dense>(build, *config.shared_dense, scale));
  }
  std::vector<double> stds(config.glu ? 2 : 1, 1 / std::sqrt(static_cast<double>(d)));
  const double of_experts = config.routing().expected_square_of_weights(d) * second_moment_of(config.activation);
  stds.push_back(std::sqrt(variance / of_experts));
  table_ = build.tables->get(config.tables(d, build.layer).front(), Init::normal_by_column_group(stds));
}

FfwOutput Peer::forward(const FfwInput& input) const {
  const auto x = input.x.flatten(0, 1);
  Stats stats;
  const auto [weights, experts] = router_->forward(x, stats);
  if (input.counted.defined()) count_usage(weights, experts, input.counted, config_.num_experts, stats);
  auto y = run_experts(x, weights, experts).to(input.x.dtype()).view_as(input.x);
  if (shared_dense_) y = y + shared_dense_->forward(input).y;
  return {std::move(y), {}, std::move(stats)};
}

at::Tensor Peer::run_experts(const at::Tensor& x, const at::Tensor& weights, const at::Tensor& experts) const {
  if (!group_) return peer_experts(x, weights, experts, *table_, config_.activation, config_.glu);
  const GroupTokens tokens(*group_, x.size(0));
  return tokens.own_tokens(peer_experts_by_columns(*group_, tokens.columns_of_all(x), tokens.all(weights),
                                                   tokens.all(experts), *table_, config_.activation, config_.glu));
}

Figures Peer::figures(const Stats& stats) const { return usage_figures(stats); }

}  // namespace peerless
