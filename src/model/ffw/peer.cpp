#include "peerless/model/ffw/peer.h"

#include <cmath>

#include "peerless/base/random.h"
#include "peerless/model/initialization.h"
#include "peerless/ops/peer_experts.h"
#include "peerless/ops/product_key.h"

namespace peerless {
namespace {

// Router weights of a head's top-k scores [.., k].
at::Tensor gates_of(PeerScore score, const at::Tensor& scores) {
  switch (score) {
    case PeerScore::softmax:
      return scores.softmax(-1);
    case PeerScore::sigmoid:
      return scores.sigmoid();
    case PeerScore::relu:
      return scores.relu();
  }
  TORCH_CHECK(false, "unknown score");
}

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

// E over tokens of the sum over experts of (the router weights they get from all heads)^2, at the start: sub-key scores
// are then normal, so a few hundred drawn tokens tell. Two heads meet at an expert by chance, 1/N.
double expected_square_of_weights(const PeerConfig& config, double score_std) {
  constexpr std::int64_t kTokens = 256;
  const std::int64_t n = config.n(), k = config.top_k;
  const RandomStream stream(/*seed=*/0, mix(0, "peer.start"));
  const auto drawn = at::empty({2, n}, at::kFloat);
  double squares = 0, sums = 0;
  for (std::int64_t token = 0; token < kTokens; ++token) {
    stream.normal({drawn.mutable_data_ptr<float>(), static_cast<std::size_t>(2 * n)},
                  static_cast<std::uint64_t>(token * 2 * n));
    const auto halves = std::get<0>((score_std * drawn.to(at::kDouble)).topk(k));
    const auto pairs = (halves[0].unsqueeze(1) + halves[1].unsqueeze(0)).flatten();
    const auto gates = gates_of(config.score, std::get<0>(pairs.topk(k)));
    squares += gates.square().sum().item<double>() / kTokens;
    sums += gates.sum().item<double>() / kTokens;
  }
  const auto heads = static_cast<double>(config.heads);
  return heads * squares + heads * (heads - 1) * sums * sums / static_cast<double>(config.num_experts);
}

double value_std(const PeerConfig& config, const Build& build, double variance) {
  const double query_std =
      config.query_norm == QueryNormKind::none ? kInitStd * std::sqrt(static_cast<double>(build.d_model)) : 1;
  const double score_std =
      query_std / std::sqrt(3.0);  // of each half: d_key/2 products with keys of variance 2/(3 d_key)
  return std::sqrt(variance / (expected_square_of_weights(config, score_std) * second_moment_of(config.activation)));
}

double usage(const at::Tensor& sums) { return sums.gt(0).to(at::kDouble).mean().item<double>(); }

// KL(z || uniform) = log N + sum z log z; without any weight, as far as can be from uniform: log N.
double unevenness(const at::Tensor& sums) {
  const auto total = sums.sum();
  const auto z = at::where(total > 0, sums / total, at::zeros_like(sums));
  return std::log(static_cast<double>(z.numel())) + at::xlogy(z, z).sum().item<double>();
}

}  // namespace

std::int64_t PeerConfig::n() const { return std::llround(std::sqrt(static_cast<double>(num_experts))); }

PeerConfig PeerConfig::small() {
  PeerConfig config;
  config.num_experts = 16;
  config.heads = 2;
  config.top_k = 3;
  config.d_key = 6;
  return config;
}

void PeerConfig::check() const {
  if (num_experts > INT32_MAX) throw Error(ExitCode::config, "num_experts (", num_experts, ") must be below 2^31");
  if (n() * n() != num_experts)
    throw Error(ExitCode::config, "num_experts (", num_experts,
                ") must be a square: experts are pairs of sub-keys; the nearest are ", (n() - 1) * (n() - 1), ", ",
                n() * n(), " and ", (n() + 1) * (n() + 1));
  if (top_k > n())
    throw Error(ExitCode::config, "top_k (", top_k, ") must not exceed the ", n(),
                " sub-keys of each half, sqrt(num_experts)");
  if (table && (table->find('.') != std::string::npos || table->starts_with("layer")))
    throw Error(ExitCode::config, "table '", *table,
                "' must hold no dot and not begin with 'layer', the name of unnamed tables");
}

Cost PeerConfig::cost(std::int64_t d_model) const {
  const std::int64_t query = heads * d_key * d_model;
  const std::int64_t norm = QueryNorm::num_parameters(query_norm, heads, d_key);
  const std::int64_t sub_keys = (keys == PeerKeys::per_head ? heads : 1) * n() * d_key;
  const std::int64_t rows = heads * top_k * row_width(d_model);
  Cost cost{query + norm + sub_keys, query + norm + sub_keys + rows,
            2.0 * static_cast<double>(query + heads * n() * d_key + rows)};
  if (shared_dense) cost += shared_dense->cost(d_model);
  return cost;
}

std::vector<TableUse> PeerConfig::tables(std::int64_t d_model, std::int64_t layer) const {
  const auto name_of = [](auto value) { return std::string(enum_names(value)[static_cast<std::size_t>(value)]); };
  return {{table.value_or(concat("layer", layer)),
           num_experts,
           row_width(d_model),
           {{"score", name_of(score)},
            {"activation", name_of(activation)},
            {"heads", concat(heads)},
            {"top_k", concat(top_k)},
            {"query_norm", name_of(query_norm)},
            {"shared_dense", shared_dense ? "given" : "none"}}}};
}

Peer::Peer(const Build& build, const PeerConfig& config) : Ffw(build.options), config_(config) {
  const std::int64_t d = build.d_model;
  query_ = register_module(
      "query", std::make_shared<Linear>(d, config.heads * config.d_key, Role::router, matrix_init(), build.options));
  query_norm_ = register_module(
      "query_norm", std::make_shared<QueryNorm>(config.query_norm, config.heads, config.d_key, build.options));
  const double key_bound = 1 / std::sqrt(static_cast<double>(config.d_key) / 2);
  keys_ =
      make_parameter("keys", {config.keys == PeerKeys::per_head ? config.heads : 1, 2, config.n(), config.d_key / 2},
                     Role::router, Init::uniform(key_bound));

  double variance = config.output_variance(d, build.n_layers);
  if (config.shared_dense) {
    variance /= 2;  // half from the experts, half from the branch
    const double scale = std::sqrt(variance / config.shared_dense->output_variance(d, build.n_layers));
    shared_dense_ = register_module("shared_dense", std::make_shared<Dense>(build, *config.shared_dense, scale));
  }
  const double in_std = 1 / std::sqrt(static_cast<double>(d));
  std::vector<double> stds(config.glu ? 2 : 1, in_std);
  stds.push_back(value_std(config, build, variance));
  table_ = build.tables->get(config.tables(d, build.layer).front(), Init::normal_by_column_group(stds));
}

FfwOutput Peer::forward(const FfwInput& input) const {
  const auto x = input.x.flatten(0, 1);
  Stats stats;
  const auto raw = query_->forward(x.to(options().dtype())).unflatten(-1, {config_.heads, config_.d_key});
  const auto queries = query_norm_->forward(raw, stats).unflatten(-1, {2, config_.d_key / 2});
  const auto [scores, ids] = product_key_top_k(queries, keys_, config_.top_k);
  const auto weights = gates_of(config_.score, scores).flatten(1);
  const auto experts = ids.flatten(1);
  if (input.counted.defined()) count_usage(weights, experts, input.counted, stats);
  auto y =
      peer_experts(x, weights, experts, *table_, config_.activation, config_.glu).to(input.x.dtype()).view_as(input.x);
  if (shared_dense_) y = y + shared_dense_->forward(input).y;
  return {y, {}, std::move(stats)};
}

void Peer::count_usage(const at::Tensor& weights, const at::Tensor& experts, const at::Tensor& counted,
                       Stats& stats) const {
  const auto one = at::ones_like(weights, at::kDouble) * counted.view({-1, 1});
  const auto sum_by_expert = [&](const at::Tensor& value) {
    return at::zeros({config_.num_experts}, value.options()).index_add_(0, experts.flatten(), value.flatten());
  };
  stats.set("count", sum_by_expert(one));
  stats.set("weight", sum_by_expert(one * weights.detach()));
}

void Peer::commit(const Stats& stats) { query_norm_->commit(stats); }

Figures Peer::figures(const Stats& stats) const {
  if (!stats.contains("count")) return {};
  const auto &weight = stats.at("weight"), &count = stats.at("count");
  return {{"usage", usage(weight)},
          {"unevenness", unevenness(weight)},
          {"usage_by_count", usage(count)},
          {"unevenness_by_count", unevenness(count)}};
}

}  // namespace peerless
