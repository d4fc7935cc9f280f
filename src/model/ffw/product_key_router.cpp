#include "peerless/model/ffw/product_key_router.h"

#include <cmath>

#include "peerless/base/error.h"
#include "peerless/base/random.h"
#include "peerless/model/initialization.h"
#include "peerless/ops/product_key.h"

namespace peerless {
namespace {

// Weights of a head's top-k scores [.., k].
at::Tensor weights_of(RouterScore score, const at::Tensor& scores) {
  switch (score) {
    case RouterScore::softmax:
      return scores.softmax(-1);
    case RouterScore::sigmoid:
      return scores.sigmoid();
    case RouterScore::relu:
      return scores.relu();
  }
  TORCH_CHECK(false, "unknown score");
}

}  // namespace

std::int64_t ProductKeyRouting::n() const { return std::llround(std::sqrt(static_cast<double>(num_rows))); }

void ProductKeyRouting::check(std::string_view name, std::string_view rows) const {
  if (num_rows > INT32_MAX) throw Error(ExitCode::config, name, " (", num_rows, ") must be below 2^31");
  if (n() * n() != num_rows)
    throw Error(ExitCode::config, name, " (", num_rows, ") must be a square: ", rows,
                " are pairs of sub-keys; the nearest are ", (n() - 1) * (n() - 1), ", ", n() * n(), " and ",
                (n() + 1) * (n() + 1));
  if (top_k > n())
    throw Error(ExitCode::config, "top_k (", top_k, ") must not exceed the ", n(), " sub-keys of each half, sqrt(",
                name, ")");
}

Cost ProductKeyRouting::cost(std::int64_t d_model) const {
  const std::int64_t query = heads * d_key * d_model;
  const std::int64_t norm = QueryNorm::num_parameters(query_norm, heads, d_key);
  const std::int64_t sub_keys = (keys == ProductKeys::per_head ? heads : 1) * n() * d_key;
  return Cost::of_routing(query + norm + sub_keys, 2.0 * static_cast<double>(query + heads * n() * d_key),
                          static_cast<double>(heads * (2 * d_key + 3 * top_k)));
}

// Sub-key scores are normal at the start, so a few hundred drawn tokens tell. Two heads meet at a row by chance, 1/N.
double ProductKeyRouting::expected_square_of_weights(std::int64_t d_model) const {
  constexpr std::int64_t kTokens = 256;
  const double query_std = query_norm == QueryNormKind::none ? kInitStd * std::sqrt(static_cast<double>(d_model)) : 1;
  const double score_std =
      query_std / std::sqrt(3.0);  // of each half: d_key/2 products with keys of variance 2/(3 d_key)
  const RandomStream stream(/*seed=*/0, mix(0, "product_keys.start"));
  const auto drawn = at::empty({2, n()}, at::kFloat);
  double squares = 0, sums = 0;
  for (std::int64_t token = 0; token < kTokens; ++token) {
    stream.normal({drawn.mutable_data_ptr<float>(), static_cast<std::size_t>(2 * n())},
                  static_cast<std::uint64_t>(token * 2 * n()));
    const auto halves = std::get<0>((score_std * drawn.to(at::kDouble)).topk(top_k));
    const auto pairs = (halves[0].unsqueeze(1) + halves[1].unsqueeze(0)).flatten();
    const auto weights = weights_of(score, std::get<0>(pairs.topk(top_k)));
    squares += weights.square().sum().item<double>() / kTokens;
    sums += weights.sum().item<double>() / kTokens;
  }
  const auto h = static_cast<double>(heads);
  return h * squares + h * (h - 1) * sums * sums / static_cast<double>(num_rows);
}

std::vector<std::pair<std::string, std::string>> ProductKeyRouting::start() const {
  const auto name_of = [](auto value) { return std::string(enum_names(value)[static_cast<std::size_t>(value)]); };
  return {{"score", name_of(score)},
          {"heads", concat(heads)},
          {"top_k", concat(top_k)},
          {"query_norm", name_of(query_norm)}};
}

ProductKeyRouter::ProductKeyRouter(std::int64_t d_model, const ProductKeyRouting& routing, at::TensorOptions options)
    : Module(options), routing_(routing) {
  query_ = register_module(
      "query", std::make_shared<Linear>(d_model, routing.heads * routing.d_key, Role::router, matrix_init(), options));
  query_norm_ = register_module("query_norm",
                                std::make_shared<QueryNorm>(routing.query_norm, routing.heads, routing.d_key, options));
  const double bound = 1 / std::sqrt(static_cast<double>(routing.d_key) / 2);
  const std::int64_t sets = routing.keys == ProductKeys::per_head ? routing.heads : 1;
  keys_ = make_parameter("keys", {sets, 2, routing.n(), routing.d_key / 2}, Role::router, Init::uniform(bound));
}

ProductKeyRouter::Routes ProductKeyRouter::forward(const at::Tensor& x, Stats& stats) const {
  const auto raw = query_->forward(x.to(options().dtype())).unflatten(-1, {routing_.heads, routing_.d_key});
  const auto queries = query_norm_->forward(raw, stats).unflatten(-1, {2, routing_.d_key / 2});
  const auto [scores, ids] = product_key_top_k(queries, keys_, routing_.top_k);
  return {weights_of(routing_.score, scores).flatten(1), ids.flatten(1)};
}

std::string table_name(const std::optional<std::string>& shared, std::int64_t layer) {
  return shared.value_or(concat("layer", layer));
}

void check_table_name(const std::optional<std::string>& shared) {
  if (shared && (shared->find('.') != std::string::npos || shared->starts_with("layer")))
    throw Error(ExitCode::config, "table '", *shared,
                "' must hold no dot and not begin with 'layer', the name of unnamed tables");
}

}  // namespace peerless
