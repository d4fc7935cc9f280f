#include "peerless/model/ffw/moe.h"

#include <cmath>

#include "peerless/base/random.h"
#include "peerless/model/ffw/load.h"
#include "peerless/model/initialization.h"
#include "peerless/ops/top_k.h"

namespace peerless {
namespace {

constexpr double kPostNormEps = 1e-5;
constexpr double kLeastSum = 1e-20;  // added to what weights are divided by: a bias may choose experts of score 0
constexpr std::int64_t kMostExperts = 1 << 16;

at::Tensor scores_of(const MoeConfig& config, const at::Tensor& logits) {
  return config.score == MoeScore::softmax ? logits.softmax(-1) : logits.sigmoid();
}

// The chosen experts [T, K] of tokens with scores [T, E].
at::Tensor choose(const MoeConfig& config, const at::Tensor& scores) {
  if (config.route == MoeRoute::learned) return top_k_ids(scores.detach(), config.chosen());
  const auto turns = at::arange(scores.size(0) * config.chosen(), scores.options().dtype(at::kLong));
  return turns.remainder(config.experts()).view({-1, config.chosen()});
}

// Their weights.
at::Tensor gates_of(const MoeConfig& config, const at::Tensor& scores, const at::Tensor& ids) {
  auto gates = scores.gather(1, ids);
  if (config.normalized()) gates = gates / (gates.sum(1, /*keepdim=*/true) + kLeastSum);
  return config.route_scale == 1 ? gates : gates * config.route_scale;
}

// E over tokens of the sum of their squared weights, at the start: logits are then normal, so some drawn tokens tell.
double expected_square_of_gates(const MoeConfig& config, std::int64_t d_model) {
  constexpr std::int64_t kTokens = 256;
  const double logit_std = kInitStd * std::sqrt(static_cast<double>(d_model));
  const auto drawn = at::empty({kTokens, config.experts()}, at::kFloat);
  RandomStream(/*seed=*/0, mix(0, "moe.start"))
      .normal({drawn.mutable_data_ptr<float>(), static_cast<std::size_t>(drawn.numel())}, 0);
  const auto scores = scores_of(config, logit_std * drawn.to(at::kDouble));
  return gates_of(config, scores, choose(config, scores)).square().sum(1).mean().item<double>();
}

// What the experts' output matrices are multiplied by, so that K experts by their weights have the output variance of a
// dense block of their width together, which is K of theirs.
double output_scale(const MoeConfig& config, std::int64_t d_model) {
  return std::sqrt(static_cast<double>(config.chosen()) / expected_square_of_gates(config, d_model));
}

}  // namespace

void MoeConfig::check() const {
  const auto refuse = [](const auto&... parts) { throw Error(ExitCode::config, parts...); };
  const int of_first = num_experts.has_value() + top_k.has_value() + d_expert.has_value();
  const int of_second = expansion.has_value() + granularity.has_value() + d_ff.has_value();
  if (!((of_first == 3 && of_second == 0) || (of_first == 0 && of_second == 3)))
    refuse(
        "a mixture is given by num_experts, top_k and d_expert, or by expansion, granularity and d_ff: all three of "
        "one of them, and none of the other");
  if (granularity && *d_ff % *granularity != 0)
    refuse("granularity (", *granularity, ") must divide d_ff (", *d_ff, "): an expert's width is d_ff / granularity");
  if (experts() > kMostExperts)
    refuse("expansion * granularity (", experts(), ") must not exceed ", kMostExperts, " experts");
  if (chosen() > experts()) refuse("top_k (", chosen(), ") must not exceed num_experts (", experts(), ")");
  if (normalized() && chosen() == 1 && experts() > 1)
    refuse("normalize_top_k with top_k 1 makes every weight 1: the router would not learn from the loss");
  if (route == MoeRoute::balanced && bias_update_rate > 0) refuse("bias_update_rate has no effect: route is balanced");
  if (chosen() == experts() && bias_update_rate > 0)
    refuse("bias_update_rate has no effect: every token runs all ", experts(), " experts");
}

MoeConfig MoeConfig::small() {
  MoeConfig config;
  config.num_experts = 4;
  config.top_k = 2;
  config.d_expert = 6;
  config.shared_experts = 1;
  config.bias_update_rate = 0.001;
  return config;
}

Cost MoeConfig::cost(std::int64_t d_model) const {
  const std::int64_t router = experts() * d_model;
  const Cost expert = DenseConfig{activation, width()}.cost(d_model);
  Cost cost{.parameters = experts() * expert.parameters,
            .active_parameters = chosen() * expert.parameters,
            .flops = static_cast<double>(chosen()) * expert.flops,
            .kept = static_cast<double>(chosen() * (gated(activation) ? 2 : 1) * width())};
  cost += Cost::of_routing(router, 2.0 * static_cast<double>(router + chosen() * d_model),
                           static_cast<double>(2 * experts() + 4 * chosen()));
  if (shared_experts > 0) cost += DenseConfig{activation, shared_experts * width()}.cost(d_model);
  if (post_norm) cost += {.parameters = d_model, .active_parameters = d_model};
  return cost;
}

DenseConfig MoeConfig::dense_twin(std::int64_t /*d_model*/) const {
  return {.activation = activation, .d_ff = (chosen() + shared_experts) * width()};
}

Moe::Moe(const Build& build, const MoeConfig& config) : Ffw(build.options), config_(config) {
  const std::int64_t d = build.d_model;
  const double std = std::sqrt(config.dense_twin(d).output_variance(d, build.n_layers));
  const double before_norm =
      config.post_norm ? 1 / std : 1;  // what the norm gets is of unit variance, far above its eps
  router_ = register_module("router",
                            std::make_shared<Linear>(d, config.experts(), Role::router, matrix_init(), build.options));
  experts_ =
      register_module("experts", std::make_shared<Experts>(build, config.experts(), config.width(), config.activation,
                                                           before_norm * output_scale(config, d)));
  if (config.shared_experts > 0) {
    const DenseConfig shared{config.activation, config.shared_experts * config.width()};
    shared_experts_ = register_module("shared_experts", std::make_shared<Dense>(build, shared, before_norm));
  }
  if (config.post_norm)
    post_norm_ = register_module("post_norm", std::make_shared<RmsNorm>(d, kPostNormEps, build.options, std));
  if (config.bias_update_rate > 0) bias_ = make_buffer("bias", at::zeros({config.experts()}, build.options));
}

FfwOutput Moe::forward(const FfwInput& input) const {
  const auto x = input.x.flatten(0, 1);
  const auto logits = router_->forward(x.to(options().dtype()));
  const auto scores = scores_of(config_, logits);
  const auto ids = choose(config_, bias_.defined() ? scores + bias_ : scores);
  auto y = experts_->forward(x, gates_of(config_, scores, ids), ids).view_as(input.x);
  if (shared_experts_) y = y + shared_experts_->forward(input).y;
  if (post_norm_) y = post_norm_->forward(y);
  FfwOutput out{std::move(y), {}, {}};
  const auto load = count_load(ids, {}, config_.experts());
  if (is_training()) out.aux_loss = balance_losses(logits, scores, load);
  out.stats.set("load", input.counted.defined() ? count_load(ids, input.counted, config_.experts()) : load);
  return out;
}

at::Tensor Moe::balance_losses(const at::Tensor& logits, const at::Tensor& scores, const at::Tensor& load) const {
  at::Tensor sum;
  const auto add = [&](double coefficient, const at::Tensor& loss) {
    sum = sum.defined() ? sum + coefficient * loss : coefficient * loss;
  };
  if (config_.aux_loss > 0) {
    const auto shares = config_.score == MoeScore::softmax ? scores : scores / scores.sum(1, /*keepdim=*/true);
    const auto pairs = static_cast<double>(scores.size(0) * config_.chosen());
    add(config_.aux_loss * static_cast<double>(config_.experts()) / pairs, (load * shares.mean(0)).sum());
  }
  if (config_.z_loss > 0) add(config_.z_loss, logits.logsumexp(1).square().mean());
  return sum;
}

void Moe::commit(const Stats& stats) {
  if (!bias_.defined()) return;
  const torch::NoGradGuard no_grad;
  const auto load = stats.at("load").to(at::kDouble);
  bias_.add_((load.mean() - load).sign(), config_.bias_update_rate);
}

Figures Moe::figures(const Stats& stats) const { return load_figures(stats.at("load")); }

}  // namespace peerless
