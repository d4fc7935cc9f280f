#include "peerless/model/ffw/pkm.h"

#include <cmath>

#include "peerless/model/ffw/table_usage.h"
#include "peerless/model/initialization.h"
#include "peerless/ops/exchange.h"
#include "peerless/ops/gather_sum.h"

namespace peerless {

PkmConfig PkmConfig::small() {
  PkmConfig config;
  config.num_values = 16;
  config.heads = 2;
  config.top_k = 3;
  config.d_key = 6;
  config.gate = PkmGate::silu;
  return config;
}

Cost PkmConfig::cost(std::int64_t d_model) const {
  const std::int64_t rows = heads * top_k * d_model;
  Cost cost{.active_parameters = rows, .flops = 2.0 * static_cast<double>(rows)};
  cost += routing().cost(d_model);
  const std::int64_t matrices = gate == PkmGate::silu ? 2 * d_model * d_model : 0;
  cost += {.parameters = matrices,
           .active_parameters = matrices,
           .flops = 2.0 * static_cast<double>(matrices),
           .kept = gate == PkmGate::silu ? 4.0 * static_cast<double>(d_model) : 0};
  return cost;
}

std::vector<TableUse> PkmConfig::tables(std::int64_t d_model, std::int64_t layer) const {
  auto start = routing().start();
  start.emplace_back("gate", enum_names(gate)[static_cast<std::size_t>(gate)]);
  return {{table_name(table, layer), num_values, d_model, 1, std::move(start)}};
}

Pkm::Pkm(const Build& build, const PkmConfig& config) : Ffw(build.options), group_(build.groups.tables) {
  const std::int64_t d = build.d_model;
  router_ = register_module("router", std::make_shared<ProductKeyRouter>(d, config.routing(), build.options));
  const double variance = config.dense_twin(d).output_variance(d, build.n_layers);
  double variance_of_sum = variance;
  if (config.gate == PkmGate::silu) {
    variance_of_sum = 1;
    const double gate_std = kInitStd * std::sqrt(static_cast<double>(d));  // of what enters silu
    const double output_std = std::sqrt(variance / (static_cast<double>(d) * second_moment(silu, gate_std)));
    gate_ = register_module("gate", std::make_shared<Linear>(d, d, Role::matrix, matrix_init(), build.options));
    output_ = register_module("output",
                              std::make_shared<Linear>(d, d, Role::matrix, Init::normal(output_std), build.options));
  }
  const double value_std = std::sqrt(variance_of_sum / config.routing().expected_square_of_weights(d));
  table_ = build.tables->get(config.tables(d, build.layer).front(), Init::normal(value_std));
}

FfwOutput Pkm::forward(const FfwInput& input) const {
  Stats stats;
  const auto [weights, ids] = router_->forward(input.x.flatten(0, 1), stats);
  if (input.counted.defined()) count_usage(weights, ids, input.counted, table_->weight().size(0), stats);
  auto y = sum_values(weights, ids).to(input.x.dtype()).view_as(input.x);
  if (gate_) y = output_->forward(y * at::silu(gate_->forward(input.x)));
  return {std::move(y), {}, std::move(stats)};
}

at::Tensor Pkm::sum_values(const at::Tensor& weights, const at::Tensor& ids) const {
  if (!group_) return gather_sum(weights, ids, *table_);
  const GroupTokens tokens(*group_, ids.size(0));
  return tokens.own_tokens(gather_sum(tokens.all(weights), tokens.all(ids), *table_));
}

Figures Pkm::figures(const Stats& stats) const { return usage_figures(stats); }

}  // namespace peerless
