#include "peerless/model/ffw/peer.h"

#include <gtest/gtest.h>

#include "peerless/model/evaluation_mode.h"
#include "tests/support/blocks.h"
#include "tests/support/complaint.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::LoneBlock;
using test::near;

constexpr std::int64_t kWidth = 8;

PeerConfig config_of(std::int64_t n, std::int64_t heads, std::int64_t top_k) {
  PeerConfig config;
  config.num_experts = n * n;
  config.heads = heads;
  config.top_k = top_k;
  config.d_key = 6;
  return config;
}

at::Tensor activate(const at::Tensor& z, Activation activation) {
  return activation == Activation::gelu ? at::gelu(z) : activation == Activation::relu ? at::relu(z) : z;
}

// PEER as its definition says it: every expert is scored and run for every token, and the best k of each head are
// summed.
at::Tensor score_every_expert(LoneBlock& block, const PeerConfig& c, const at::Tensor& x) {
  const auto parameters = block.parameters_of();
  const auto tokens = x.flatten(0, 1);
  const std::int64_t n = c.n(), d = x.size(-1);
  auto q = at::linear(tokens, parameters.at("ffw.query.weight").tensor);
  if (c.query_norm == QueryNormKind::batch) {
    q = (q - q.mean(0)) / (q.var(0, /*unbiased=*/false) + 1e-5).sqrt();
    q = q * parameters.at("ffw.query_norm.weight").tensor + parameters.at("ffw.query_norm.bias").tensor;
  } else if (c.query_norm == QueryNormKind::rms) {
    const auto heads = q.view({-1, c.heads, c.d_key});
    q = (heads / (heads.square().mean(-1, true) + 1e-5).sqrt()).flatten(1) *
        parameters.at("ffw.query_norm.weight").tensor;
  }
  const auto keys = parameters.at("ffw.keys").tensor.expand({c.heads, 2, n, c.d_key / 2});
  const auto s = at::einsum("thpc,hpnc->thpn", {q.view({-1, c.heads, 2, c.d_key / 2}), keys});
  const auto all = (s.select(2, 0).unsqueeze(-1) + s.select(2, 1).unsqueeze(-2)).flatten(-2);  // [tokens, heads, N]
  const auto [scores, ids] = all.sort(/*stable=*/true, -1, /*descending=*/true);
  const auto best = scores.narrow(-1, 0, c.top_k);
  const auto g = c.score == PeerScore::softmax   ? best.softmax(-1)
                 : c.score == PeerScore::sigmoid ? best.sigmoid()
                                                 : best.relu();
  const auto weights = at::zeros_like(all).scatter(-1, ids.narrow(-1, 0, c.top_k), g).sum(1);  // [tokens, N]
  const auto rows = block.only_table()->weight().view({c.num_experts, -1, d});
  auto hidden = activate(tokens.matmul(rows.select(1, 0).t()), c.activation);
  if (c.glu) hidden = hidden * tokens.matmul(rows.select(1, 1).t());
  return (weights * hidden).matmul(rows.select(1, -1)).view_as(x);
}

struct Gradients {
  at::Tensor y;
  std::vector<at::Tensor> of;
};

template <class F>
Gradients gradients(LoneBlock& block, const at::Tensor& x, F&& forward) {
  auto leaf = x.detach().clone().requires_grad_();
  const auto parameters = block.parameters_of();
  for (const auto& p : parameters.parameters()) {
    if (p.rows) p.rows->clear();
    p.tensor.mutable_grad() = at::Tensor();
  }
  const auto y = forward(leaf);
  torch::manual_seed(3);
  (y * torch::randn(y.sizes(), y.options())).sum().backward();
  Gradients result{y.detach(), {leaf.grad()}};
  for (const auto& p : parameters.parameters())  // the reference leaves its table gradient in .grad
    result.of.push_back(p.tensor.grad().defined() ? p.tensor.grad().clone() : dense_grad(p).clone());
  return result;
}

void expect_equal_to_brute_force(const PeerConfig& config, at::ScalarType dtype) {
  const auto block = LoneBlock::make(config, kWidth, /*seed=*/1, dtype);
  torch::manual_seed(2);
  const auto x = torch::randn({2, 9, kWidth}, at::kDouble).to(dtype);
  const auto ours = gradients(*block, x, [&](const at::Tensor& leaf) { return block->forward(leaf).y; });
  const auto reference =
      gradients(*block, x, [&](const at::Tensor& leaf) { return score_every_expert(*block, config, leaf); });
  EXPECT_TRUE(near(ours.y, reference.y));
  ASSERT_EQ(ours.of.size(), reference.of.size());
  for (std::size_t i = 0; i < ours.of.size(); ++i) EXPECT_TRUE(near(ours.of[i], reference.of[i])) << "gradient " << i;
}

TEST(Peer, EqualsScoringEveryExpert) {
  for (const std::int64_t n : {3, 16, 101}) {
    for (const std::int64_t k : {std::int64_t{1}, std::int64_t{2}, std::min<std::int64_t>(n, 16)}) {
      SCOPED_TRACE(testing::Message() << "n " << n << " k " << k);
      expect_equal_to_brute_force(config_of(n, /*heads=*/3, k), at::kDouble);
      expect_equal_to_brute_force(config_of(n, /*heads=*/3, k), at::kFloat);
    }
  }
}

TEST(Peer, EqualsScoringEveryExpertWithEveryOption) {
  for (const auto norm : {QueryNormKind::batch, QueryNormKind::rms, QueryNormKind::none}) {
    for (const auto score : {PeerScore::softmax, PeerScore::sigmoid, PeerScore::relu}) {
      for (const auto activation : {Activation::gelu, Activation::relu, Activation::none}) {
        for (const bool glu : {false, true}) {
          auto config = config_of(5, 2, 3);
          config.query_norm = norm;
          config.score = score;
          config.activation = activation;
          config.glu = glu;
          config.keys = glu ? PeerKeys::per_head : PeerKeys::shared;
          expect_equal_to_brute_force(config, at::kDouble);
        }
      }
    }
  }
}

TEST(Peer, AddsItsDenseBranch) {
  auto config = config_of(4, 2, 3);
  const auto alone = LoneBlock::make(config, kWidth);
  config.shared_dense = DenseConfig{.activation = DenseActivation::gelu, .d_ff = 6};
  const auto both = LoneBlock::make(config, kWidth);
  const torch::NoGradGuard no_grad;
  for (const auto& p : alone->parameters_of().parameters()) both->parameters_of().at(p.name).tensor.copy_(p.tensor);
  const auto x = torch::randn({1, 4, kWidth});
  const auto parameters = both->parameters_of();
  const auto dense = at::gelu(x.matmul(parameters.at("ffw.shared_dense.up.weight").tensor.t()))
                         .matmul(parameters.at("ffw.shared_dense.down.weight").tensor.t());
  EXPECT_TRUE(near(both->forward(x).y, alone->forward(x).y + dense));
}

TEST(Peer, WithOneExpertPerHeadIsADenseBlockOfAsManyNeurons) {
  auto config = config_of(6, /*heads=*/4, /*top_k=*/1);  // softmax of one score is 1
  const auto block = LoneBlock::make(config, kWidth);
  const auto x = torch::randn({1, 1, kWidth});
  const EvaluationMode evaluation(*block);
  const auto out = block->forward(x);
  const auto count = out.stats.at("count");
  const auto rows = block->only_table()->weight();
  const auto neurons = count.to(at::kFloat).unsqueeze(1) * rows.narrow(1, kWidth, kWidth);
  EXPECT_EQ(count.sum().item<double>(), 4);
  EXPECT_TRUE(near(out.y.view({-1}), at::gelu(rows.narrow(1, 0, kWidth).mv(x.view({-1}))).matmul(neurons)));
}

TEST(Peer, IsUnchangedWhenExpertsMoveTogetherWithTheirKeys) {
  const auto config = config_of(5, 2, 3);
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  const auto x = torch::randn({1, 6, kWidth}, at::kDouble);
  const auto before = block->forward(x).y;
  const auto order = at::tensor({3, 0, 4, 1, 2}, at::kLong);
  {
    const torch::NoGradGuard no_grad;
    const auto keys = block->parameters_of().at("ffw.keys").tensor;
    keys.copy_(keys.index_select(2, order));
    const auto rows = block->only_table()->weight();
    rows.copy_(rows.view({5, 5, -1}).index_select(0, order).index_select(1, order).reshape_as(rows));
  }
  EXPECT_TRUE(near(block->forward(x).y, before));
}

TEST(Peer, ReachesEveryExpert) {
  auto config = config_of(16, 2, 4);
  config.d_key = 64;  // in few dimensions, short sub-keys never win
  constexpr std::int64_t kWide = 64;
  const auto block = LoneBlock::make(config, kWide);
  const EvaluationMode evaluation(*block);
  torch::manual_seed(1);
  const auto count = block->forward(torch::randn({8, 512, kWide})).stats.at("count");
  EXPECT_EQ(count.gt(0).sum().item<std::int64_t>(), 256);
  EXPECT_EQ(count.sum().item<double>(), 8 * 512 * 2 * 4);
}

TEST(Peer, GivesOnlyTheRetrievedRowsAGradient) {
  const auto config = config_of(16, 2, 2);
  const auto block = LoneBlock::make(config, kWidth);
  block->forward(torch::randn({1, 3, kWidth})).y.sum().backward();
  const auto& table = block->only_table();
  EXPECT_FALSE(table->weight().grad().defined());
  EXPECT_LE(table->grad()->size(), 3 * 2 * 2);
  EXPECT_GT(table->grad()->size(), 0);
}

TEST(Peer, CountsUsageAndUnevenness) {
  const auto config = config_of(2, 1, 1);
  const auto block = LoneBlock::make(config, kWidth);
  Stats stats;
  stats.set("count", at::tensor({2.0, 2.0, 0.0, 0.0}));
  stats.set("weight", at::tensor({1.0, 3.0, 0.0, 0.0}));
  const auto figures = block->block().figures(stats);
  const double by_weight = std::log(4.0) + 0.25 * std::log(0.25) + 0.75 * std::log(0.75);
  ASSERT_EQ(figures.size(), 3u);
  EXPECT_EQ(figures[0], (std::pair<std::string, double>("usage", 0.5)));
  EXPECT_NEAR(figures[1].second, by_weight, 1e-12);
  EXPECT_NEAR(figures[2].second, std::log(2.0), 1e-12);
}

TEST(Peer, CountsNoPaddingAsUsage) {
  const auto block = LoneBlock::make(config_of(4, 1, 2), kWidth);
  const EvaluationMode evaluation(*block);
  const auto x = torch::randn({1, 3, kWidth});
  const auto ids = at::zeros({1, 3}, at::kLong);
  const auto two = block->block().forward({x, ids, at::tensor({1, 1, 0}).to(at::kBool).view({1, 3})}).stats;
  const auto alone = block->block().forward({x.slice(1, 0, 2), ids.slice(1, 0, 2), {}}).stats;
  EXPECT_TRUE(test::same_bits(two.at("count"), alone.at("count")));
  EXPECT_TRUE(near(two.at("weight"), alone.at("weight")));
}

// The block's value initialisation for every score, activation, GLU option and norm, at a width where averages settle.
TEST(Peer, StartsWithTheOutputVarianceOfADenseBlockForEveryOption) {
  constexpr std::int64_t kModel = 64, kLayers = 4;
  const double expected = reference_dense(kModel).output_variance(kModel, kLayers);
  for (const auto score : {PeerScore::softmax, PeerScore::sigmoid, PeerScore::relu}) {
    for (const auto activation : {Activation::gelu, Activation::relu, Activation::none}) {
      for (const bool glu : {false, true}) {
        for (const bool branch : {false, true}) {
          PeerConfig config = config_of(24, 4, 8);
          config.d_key = 32;
          config.score = score;
          config.activation = activation;
          config.glu = glu;
          if (branch) config.shared_dense = DenseConfig{.activation = DenseActivation::swiglu, .d_ff = 96};
          torch::manual_seed(1);
          const auto y =
              LoneBlock::make(config, kModel, 1, at::kFloat, kLayers)->forward(torch::randn({2, 512, kModel})).y;
          EXPECT_NEAR(y.square().mean().item<double>() / expected, 1, 0.2)
              << enum_names(score)[static_cast<std::size_t>(score)] << " "
              << enum_names(activation)[static_cast<std::size_t>(activation)] << (glu ? " glu" : "")
              << (branch ? " with a branch" : "");
        }
      }
    }
  }
}

TEST(PeerConfig, RefusesWhatCannotBe) {
  using test::complaint;
  const auto refusal = [](auto&& change) {
    PeerConfig config;
    change(config);
    return complaint([&] { config.check(); });
  };
  EXPECT_EQ(refusal([](auto& c) { c.num_experts = 1000; }),
            (test::Complaint{ExitCode::config,
                             "num_experts (1000) must be a square: experts are pairs of sub-keys; the nearest are "
                             "961, 1024 and 1089"}));
  EXPECT_EQ(
      refusal([](auto& c) { c.num_experts = 64, c.top_k = 9; }),
      (test::Complaint{ExitCode::config, "top_k (9) must not exceed the 8 sub-keys of each half, sqrt(num_experts)"}));
  EXPECT_EQ(
      refusal([](auto& c) { c.table = "layer3"; }),
      (test::Complaint{ExitCode::config,
                       "table 'layer3' must hold no dot and not begin with 'layer', the name of unnamed tables"}));
}

}  // namespace
}  // namespace peerless
