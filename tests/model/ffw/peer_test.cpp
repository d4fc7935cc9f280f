// Beside what PEER is, what public implementations of it got wrong, each named by a test that such a version would
// fail:
//
//   ReachesEveryExpert                                 the place among the k^2 candidates, or one half's index alone,
//                                                      taken for the expert's id
//   EqualsScoringEveryExpert                           softmax over all keys; weights not normalised over a head's top
//                                                      k; one expert per head; normalised keys; a norm before the query
//   FfwContract.GivesEveryParameterAFiniteGradient     sub-keys without a gradient
//   QueryNorm.AveragesMomentsNotVariances              a layer norm called batch norm
//   EveryBlock.TrainsTheSameWhenLayersAreRecomputed, FfwContract.WritesNoStateInForward
//                                                      running statistics that a recomputation counts twice
//   FfwContract.StartsWithTheOutputVarianceOfItsDenseTwin    tables of unit variance: outputs far too large
//   Transformer.SeesNoLaterToken, SeesNoOtherSequence  attention without a mask, or over the batch
//   PeerExpertsTest.BitsDoNotDependOnTheNumberOfThreads, MicroBatchesAddUp     atomics; sums into memory nobody cleared
#include "peerless/model/ffw/peer.h"

#include <gtest/gtest.h>

#include <set>

#include "tests/support/blocks.h"
#include "tests/support/brute_force_peer.h"
#include "tests/support/complaint.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::config_of;
using test::gradients;
using test::LoneBlock;
using test::near;
using test::score_every_expert;

constexpr std::int64_t kWidth = 8;

void expect_equal_to_brute_force(LoneBlock& block, const PeerConfig& config, const at::Tensor& x) {
  const auto ours = gradients(block, x, [&](const at::Tensor& leaf) { return block.forward(leaf).y; });
  const auto reference =
      gradients(block, x, [&](const at::Tensor& leaf) { return score_every_expert(block, config, leaf); });
  EXPECT_TRUE(near(ours.y, reference.y));
  ASSERT_EQ(ours.of.size(), reference.of.size());
  for (std::size_t i = 0; i < ours.of.size(); ++i) EXPECT_TRUE(near(ours.of[i], reference.of[i])) << "gradient " << i;
}

void expect_equal_to_brute_force(const PeerConfig& config, at::ScalarType dtype) {
  const auto block = LoneBlock::make(config, kWidth, /*seed=*/1, dtype);
  torch::manual_seed(2);
  expect_equal_to_brute_force(*block, config, torch::randn({2, 9, kWidth}, at::kDouble).to(dtype));
}

TEST(Peer, EqualsScoringEveryExpert) {
  for (const std::int64_t n : {3, 16, 101}) {
    for (const std::int64_t k : std::set<std::int64_t>{1, 2, std::min<std::int64_t>(n, 16), n}) {
      SCOPED_TRACE(testing::Message() << "n " << n << " k " << k);
      expect_equal_to_brute_force(config_of(n, /*heads=*/3, k), at::kDouble);
      expect_equal_to_brute_force(config_of(n, /*heads=*/3, k), at::kFloat);
    }
  }
}

TEST(Peer, EqualsScoringEveryExpertWithEveryOption) {
  for (const auto norm : {QueryNormKind::batch, QueryNormKind::rms, QueryNormKind::none}) {
    for (const auto score : {RouterScore::softmax, RouterScore::sigmoid, RouterScore::relu}) {
      for (const auto activation : {Activation::gelu, Activation::relu, Activation::none}) {
        for (const bool glu : {false, true}) {
          auto config = config_of(5, 2, 3);
          config.query_norm = norm;
          config.score = score;
          config.activation = activation;
          config.glu = glu;
          config.keys = glu ? ProductKeys::per_head : ProductKeys::shared;
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

// Small whole numbers everywhere: most scores are tied, and all sums are exact.
TEST(Peer, EqualsScoringEveryExpertWhereMostScoresAreTied) {
  for (const std::int64_t n : {3, 16, 101}) {
    for (const std::int64_t k : std::set<std::int64_t>{1, 2, n}) {
      auto config = config_of(n, /*heads=*/3, k);
      config.query_norm = QueryNormKind::none;
      const auto block = LoneBlock::make(config, kWidth);
      const auto whole = [](const at::Tensor& t) { t.copy_(torch::randint(-1, 2, t.sizes(), t.options())); };
      torch::manual_seed(1);
      const auto x = torch::empty({2, 9, kWidth});
      {
        const torch::NoGradGuard no_grad;
        for (const auto& t : {x, block->parameters_of().at("ffw.router.query.weight").tensor,
                              block->parameters_of().at("ffw.router.keys").tensor})
          whole(t);
      }
      SCOPED_TRACE(testing::Message() << "n " << n << " k " << k);
      expect_equal_to_brute_force(*block, config, x);
    }
  }
}

// Queries that are the norm's bias alone retrieve the same expert for every token, whose gate softmax makes 1.
TEST(Peer, WithOneExpertPerHeadIsADenseBlockOfAsManyNeurons) {
  constexpr std::int64_t kHeads = 4;
  auto config = config_of(6, kHeads, /*top_k=*/1);
  config.keys = ProductKeys::per_head;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  const auto dense =
      LoneBlock::make(DenseConfig{.activation = DenseActivation::gelu, .d_ff = kHeads}, kWidth, 1, at::kDouble);
  torch::manual_seed(1);
  const auto x = torch::randn({2, 5, kWidth}, at::kDouble);
  const auto& parameters = block->parameters_of();
  const auto rows = block->only_table()->weight();
  at::Tensor ids;
  {
    const torch::NoGradGuard no_grad;
    parameters.at("ffw.router.query_norm.weight").tensor.zero_();
    parameters.at("ffw.router.query_norm.bias").tensor.normal_();
    ids = test::best_ids(test::every_score(*block, config, x), 1)[0].flatten();
    ASSERT_EQ(std::get<0>(at::_unique(ids)).numel(), kHeads) << "two heads retrieve the same expert";
    dense->parameters_of().at("ffw.up.weight").tensor.copy_(rows.index_select(0, ids).narrow(1, 0, kWidth));
    dense->parameters_of().at("ffw.down.weight").tensor.copy_(rows.index_select(0, ids).narrow(1, kWidth, kWidth).t());
  }
  const auto ours = gradients(*block, x, [&](const at::Tensor& leaf) { return block->forward(leaf).y; });
  const auto theirs = gradients(*dense, x, [&](const at::Tensor& leaf) { return dense->forward(leaf).y; });
  EXPECT_TRUE(near(ours.y, theirs.y));
  EXPECT_TRUE(near(ours.of[0], theirs.of[0]));  // of x
  const auto of_rows = block->only_table()->grad()->dense().index_select(0, ids);
  EXPECT_EQ(block->only_table()->grad()->size(), kHeads);
  EXPECT_TRUE(near(of_rows.narrow(1, 0, kWidth), dense->parameters_of().at("ffw.up.weight").tensor.grad()));
  EXPECT_TRUE(near(of_rows.narrow(1, kWidth, kWidth), dense->parameters_of().at("ffw.down.weight").tensor.grad().t()));
}

// Each half of the keys in an order of its own, and the experts with them.
TEST(Peer, IsUnchangedWhenExpertsMoveTogetherWithTheirKeys) {
  auto config = config_of(5, 2, 3);
  config.keys = ProductKeys::per_head;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble),
             moved = LoneBlock::make(config, kWidth, 1, at::kDouble);
  const auto first = at::tensor({3, 0, 4, 1, 2}, at::kLong), second = at::tensor({1, 4, 0, 2, 3}, at::kLong);
  const auto move_keys = [&](const at::Tensor& keys) {
    return at::stack({keys.select(1, 0).index_select(1, first), keys.select(1, 1).index_select(1, second)}, 1);
  };
  const auto move_rows = [&](const at::Tensor& rows) {
    return rows.view({5, 5, -1}).index_select(0, first).index_select(1, second).reshape_as(rows);
  };
  const auto move = [&](const std::string& name, const at::Tensor& t) {
    return name == "ffw.router.keys" ? move_keys(t) : name == "layer0.weight" ? move_rows(t) : t;
  };
  const auto& parameters = block->parameters_of().parameters();
  {
    const torch::NoGradGuard no_grad;
    for (const auto& p : parameters) moved->parameters_of().at(p.name).tensor.copy_(move(p.name, p.tensor));
  }
  EXPECT_FALSE(at::equal(moved->only_table()->weight(), block->only_table()->weight()));
  const auto x = torch::randn({1, 6, kWidth}, at::kDouble);
  const auto ours = gradients(*block, x, [&](const at::Tensor& leaf) { return block->forward(leaf).y; });
  const auto theirs = gradients(*moved, x, [&](const at::Tensor& leaf) { return moved->forward(leaf).y; });
  EXPECT_TRUE(near(theirs.y, ours.y));
  EXPECT_TRUE(near(theirs.of[0], ours.of[0]));
  for (std::size_t i = 0; i < parameters.size(); ++i)
    EXPECT_TRUE(near(theirs.of[i + 1], move(parameters[i].name, ours.of[i + 1]))) << parameters[i].name;
}

TEST(Peer, ReachesEveryExpert) {
  for (const std::int64_t n : {3, 16, 101}) {
    auto config = config_of(n, 8, std::min<std::int64_t>(n, 16));
    config.d_key = 128;  // in few dimensions, short sub-keys never win
    constexpr std::int64_t kWide = 64;
    const auto block = LoneBlock::make(config, kWide);
    torch::manual_seed(1);
    auto count = at::zeros({n * n}, at::kDouble);
    for (int round = 0; round < 20 && count.eq(0).any().item<bool>(); ++round)
      count += block->evaluate(torch::randn({4, 512, kWide})).stats.at("count");
    EXPECT_EQ(count.gt(0).sum().item<std::int64_t>(), n * n);
  }
}

TEST(Peer, CountsEveryRetrieval) {
  const auto stats = LoneBlock::make(config_of(4, 2, 3), kWidth)->evaluate(torch::randn({2, 5, kWidth})).stats;
  EXPECT_EQ(stats.at("count").sum().item<double>(), 2 * 5 * 2 * 3);
  EXPECT_NEAR(stats.at("weight").sum().item<double>(), 2 * 5 * 2, 1e-5);  // softmax: 1 for each head
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
  stats.set("count", at::tensor({2.0, 1.0, 1.0, 0.0}));
  stats.set("weight", at::tensor({1.0, 3.0, 0.0, 0.0}));
  const auto figures = block->block().figures(stats);
  const double by_weight = std::log(4.0) + 0.25 * std::log(0.25) + 0.75 * std::log(0.75);
  ASSERT_EQ(figures.size(), 4u);
  EXPECT_EQ(figures[0], (std::pair<std::string, double>("usage", 0.5)));
  EXPECT_NEAR(figures[1].second, by_weight, 1e-12);
  EXPECT_EQ(figures[2], (std::pair<std::string, double>("usage_by_count", 0.75)));
  EXPECT_NEAR(figures[3].second, std::log(4.0) - 1.5 * std::log(2.0), 1e-12);
}

// relu scores may all be 0.
TEST(Peer, HasFiniteFiguresWithoutAnyWeight) {
  const auto block = LoneBlock::make(config_of(2, 1, 1), kWidth);
  Stats stats;
  stats.set("count", at::tensor({2.0, 0.0, 0.0, 0.0}));
  stats.set("weight", at::zeros({4}, at::kDouble));
  const auto figures = block->block().figures(stats);
  EXPECT_EQ(figures[0].second, 0);
  EXPECT_NEAR(figures[1].second, std::log(4.0), 1e-12);
}

TEST(Peer, CountsNoPaddingAndNothingUnasked) {
  const auto block = LoneBlock::make(config_of(4, 1, 2), kWidth);
  const EvaluationMode evaluation(*block);
  const auto x = torch::randn({1, 3, kWidth});
  const auto ids = at::zeros({1, 3}, at::kLong);
  const auto two = block->block().forward({x, ids, at::tensor({1, 1, 0}).to(at::kBool).view({1, 3})}).stats;
  const auto alone = block->evaluate(x.slice(1, 0, 2)).stats;
  EXPECT_TRUE(test::same_bits(two.at("count"), alone.at("count")));
  EXPECT_TRUE(near(two.at("weight"), alone.at("weight")));
  EXPECT_TRUE(block->forward(x).stats.empty());
}

// In bf16 a query rounded to 8 bits would retrieve other experts.
TEST(Peer, RoutesInFp32WhateverXComesIn) {
  const auto block = LoneBlock::make(config_of(16, 2, 4), kWidth);
  const auto x = torch::randn({2, 64, kWidth}).to(at::kBFloat16);
  const auto low = block->evaluate(x).stats, wide = block->evaluate(x.to(at::kFloat)).stats;
  EXPECT_TRUE(test::same_bits(low.at("count"), wide.at("count")));
  EXPECT_TRUE(test::same_bits(low.at("weight"), wide.at("weight")));
  EXPECT_TRUE(test::same_bits(block->evaluate(x).y, block->evaluate(x.to(at::kFloat)).y.to(at::kBFloat16)));
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
  EXPECT_EQ(refusal([](auto& c) { c.num_experts = 3'000'000'000; }),
            (test::Complaint{ExitCode::config, "num_experts (3000000000) must be below 2^31"}));
  EXPECT_EQ(refusal([](auto& c) { c.num_experts = INT64_MAX; }),
            (test::Complaint{ExitCode::config, "num_experts (9223372036854775807) must be below 2^31"}));
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
