#include "peerless/model/ffw/moe.h"

#include <gtest/gtest.h>

#include <cmath>

#include "peerless/model/ffw/load.h"
#include "peerless/ops/top_k.h"
#include "tests/support/blocks.h"
#include "tests/support/complaint.h"
#include "tests/support/flop_counter.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::LoneBlock;
using test::mean_square_at_the_start;
using test::near;
using test::same_bits;

constexpr std::int64_t kWidth = 8;

MoeConfig config_of(std::int64_t num_experts, std::int64_t top_k, std::int64_t d_expert = 6) {
  MoeConfig config;
  config.num_experts = num_experts;
  config.top_k = top_k;
  config.d_expert = d_expert;
  config.aux_loss = config.z_loss = 0;
  return config;
}

at::Tensor tokens(std::int64_t count, at::ScalarType dtype = at::kFloat) {
  torch::manual_seed(5);
  return torch::randn({1, count, kWidth}, dtype);
}

at::Tensor parameter(const LoneBlock& block, const std::string& name) {
  return block.parameters_of().at("ffw." + name).tensor;
}

at::Tensor load_of(const FfwOutput& out) { return out.stats.at("load"); }

// Every expert run for every token, weighted by what the definition says.
at::Tensor brute_force(LoneBlock& block, const MoeConfig& c, const at::Tensor& x, const at::Tensor& bias) {
  const auto flat = x.flatten(0, 1);
  const auto logits = at::linear(flat, parameter(block, "router.weight"));
  const auto scores = c.score == MoeScore::softmax ? logits.softmax(-1) : logits.sigmoid();
  const auto order = std::get<1>((scores + bias).sort(/*stable=*/true, -1, /*descending=*/true));
  const auto ids = order.narrow(-1, 0, c.chosen());
  auto weights = at::zeros_like(scores).scatter(-1, ids, scores.gather(-1, ids));
  if (c.normalized()) weights = weights / weights.sum(-1, true);
  weights = weights * c.route_scale;
  auto y = at::zeros_like(flat);
  const auto run = [&](const at::Tensor& gate, const at::Tensor& up, const at::Tensor& down) {
    return at::linear(at::silu(at::linear(flat, gate)) * at::linear(flat, up), down);
  };
  for (std::int64_t e = 0; e < c.experts(); ++e) {
    const auto of = [&](const char* name) { return parameter(block, std::string("experts.") + name)[e]; };
    y = y + weights.select(1, e).unsqueeze(1) * run(of("gate"), of("up"), of("down"));
  }
  if (c.shared_experts > 0) {
    const auto of = [&](const char* name) { return parameter(block, concat("shared_experts.", name, ".weight")); };
    y = y + run(of("gate"), of("up"), of("down"));
  }
  if (c.post_norm) y = y / (y.square().mean(-1, true) + 1e-5).sqrt() * parameter(block, "post_norm.weight");
  return y.view_as(x);
}

TEST(Moe, EqualsEveryExpertRunForEveryToken) {
  for (const auto score : {MoeScore::softmax, MoeScore::sigmoid}) {
    for (const bool normalize : {true, false}) {
      for (const bool post_norm : {true, false}) {
        MoeConfig config = config_of(5, 3);
        config.score = score;
        config.normalize_top_k = normalize;
        config.post_norm = post_norm;
        config.route_scale = 2.5;
        config.shared_experts = 2;
        config.bias_update_rate = 0.1;
        const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
        const auto x = tokens(40, at::kDouble);
        const auto bias = block->parameters_of().buffers().front().tensor;
        bias.copy_(torch::randn({5}, at::kDouble));
        EXPECT_TRUE(near(block->forward(x).y, brute_force(*block, config, x, bias)));
      }
    }
  }
}

// Experts [E, F, D] as the one matrix of a dense block: side by side for gate and up, for down [E, D, F] behind each
// other.
at::Tensor side_by_side(const std::string& name, const at::Tensor& experts) {
  return name == "down" ? experts.permute({1, 0, 2}).flatten(1) : experts.flatten(0, 1);
}

// y, and the gradients of x and of all experts, are those of a dense block that has the experts' matrices side by side.
void expect_a_dense_block(LoneBlock& block, const MoeConfig& config) {
  const DenseConfig wide{.activation = config.activation, .d_ff = config.experts() * config.width()};
  const auto dense = LoneBlock::make(wide, kWidth, 2, at::kDouble);
  const auto matrices = {"gate", "up", "down"};
  {
    const torch::NoGradGuard no_grad;
    for (const char* name : matrices)
      parameter(*dense, concat(name, ".weight")).copy_(side_by_side(name, parameter(block, concat("experts.", name))));
  }
  const auto x = tokens(9, at::kDouble).requires_grad_(), same_x = x.detach().clone().requires_grad_();
  const auto y = block.forward(x).y, expected = dense->forward(same_x).y;
  EXPECT_TRUE(near(y, expected));
  y.square().sum().backward();
  expected.square().sum().backward();
  EXPECT_TRUE(near(x.grad(), same_x.grad()));
  for (const char* name : matrices)
    EXPECT_TRUE(near(side_by_side(name, parameter(block, concat("experts.", name)).grad()),
                     parameter(*dense, concat(name, ".weight")).grad()))
        << name;
}

TEST(Moe, OneExpertIsADenseBlock) {
  for (const auto score : {MoeScore::softmax, MoeScore::sigmoid}) {
    MoeConfig config = config_of(1, 1);
    config.score = score;
    config.normalize_top_k = true;
    expect_a_dense_block(*LoneBlock::make(config, kWidth, 1, at::kDouble), config);
  }
}

// A router of zeros gives E experts equal scores, and a scale of E makes them 1.
TEST(Moe, AllExpertsWithUnitGatesAreADenseBlock) {
  MoeConfig config = config_of(4, 4);
  config.route_scale = 4;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  parameter(*block, "router.weight").detach().zero_();
  expect_a_dense_block(*block, config);
}

TEST(Moe, DoesTwiceTheFlopsBackward) {
  constexpr std::int64_t kTokens = 30, kChosen = 3;
  const auto config = config_of(5, kChosen);
  const auto block = LoneBlock::make(config, kWidth);
  const auto y = block->forward(tokens(kTokens).requires_grad_()).y.square().sum();
  const test::FlopCounter counter;
  y.backward();
  constexpr double kWeightedSum = 2 * kChosen * kWidth;  // no matrix product
  EXPECT_EQ(counter.flops(), 2 * (config.cost(kWidth).flops - kWeightedSum) * kTokens);
}

TEST(Moe, ExpertsThatABiasChoosesAgainstAScoreOfZeroGiveZero) {
  MoeConfig config = config_of(4, 2);
  config.bias_update_rate = 1;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  block->parameters_of().buffers().front().tensor.copy_(torch::tensor({0, 0, 1000, 1000}));
  const torch::NoGradGuard no_grad;
  parameter(*block, "router.weight").zero_().select(0, 0).fill_(1e4);  // all score at expert 0
  EXPECT_EQ(block->forward(tokens(3, at::kDouble).abs()).y.abs().max().item<double>(), 0);
}

TEST(Moe, ExpansionAndGranularityAreAnotherWayToSayIt) {
  MoeConfig fine;
  fine.expansion = 8;
  fine.granularity = 4;
  fine.d_ff = 24;
  EXPECT_EQ(fine.experts(), 32);
  EXPECT_EQ(fine.chosen(), 4);
  EXPECT_EQ(fine.width(), 6);
  auto coarse = config_of(32, 4, 6);
  fine.aux_loss = fine.z_loss = 0;
  EXPECT_TRUE(same_bits(LoneBlock::make(fine, kWidth)->forward(tokens(20)).y,
                        LoneBlock::make(coarse, kWidth)->forward(tokens(20)).y));
}

// At a fixed expansion, what a token's experts cost depends on the granularity in routing alone.
TEST(Moe, GranularityChangesNoCostButThatOfRouting) {
  const auto beside_routing = [](std::int64_t granularity) {
    MoeConfig config;
    config.expansion = 8;
    config.granularity = granularity;
    config.d_ff = 1024;
    const Cost cost = config.cost(256);
    return std::tuple(cost.parameters - cost.routing_parameters, cost.active_parameters - cost.routing_parameters,
                      cost.flops - cost.routing_flops);
  };
  for (const std::int64_t granularity : {2, 4, 8, 16}) EXPECT_EQ(beside_routing(granularity), beside_routing(1));
}

// ---- Balance -------------------------------------------------------------------------------------------------------

TEST(Moe, TheAuxLossIsExactlyOneAtPerfectBalance) {
  for (const auto score : {MoeScore::softmax, MoeScore::sigmoid}) {
    MoeConfig config = config_of(8, 2);
    config.score = score;
    config.route = MoeRoute::balanced;
    config.aux_loss = 1;
    const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
    EXPECT_NEAR(block->forward(tokens(32, at::kDouble)).aux_loss.item<double>(), 1, 1e-12);
  }
}

// All tokens at one expert, whose share of them the router takes for certain: E / (T K) * T * 1 = E.
TEST(Moe, TheAuxLossIsTheNumberOfExpertsWhenOneHasAll) {
  MoeConfig config = config_of(4, 1);
  config.normalize_top_k = false;
  config.aux_loss = 1;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  const torch::NoGradGuard no_grad;
  parameter(*block, "router.weight").zero_().select(0, 2).fill_(100);
  const auto out = block->forward(tokens(20, at::kDouble).abs());
  EXPECT_NEAR(out.aux_loss.item<double>(), 4, 1e-9);
  EXPECT_TRUE(same_bits(load_of(out), torch::tensor({0, 0, 20, 0})));
}

TEST(Moe, TheAuxLossIsTheFormulaOfSwitchOverTopK) {
  MoeConfig config = config_of(6, 2);
  config.aux_loss = 0.3;
  config.z_loss = 0.7;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  const auto x = tokens(31, at::kDouble);
  const auto logits = at::linear(x[0], parameter(*block, "router.weight")), p = logits.softmax(-1);
  double expected = 0;
  const auto ids = top_k_ids(p.detach(), 2);
  for (std::int64_t e = 0; e < 6; ++e)
    expected += ids.eq(e).sum().item<double>() / (31 * 2) * p.select(1, e).mean().item<double>();
  const double z = logits.exp().sum(-1).log().square().mean().item<double>();
  EXPECT_NEAR(block->forward(x).aux_loss.item<double>(), 0.3 * 6 * expected + 0.7 * z, 1e-12);
}

TEST(Moe, EvaluationHasNoAuxLoss) {
  MoeConfig config = config_of(4, 2);
  config.aux_loss = 1;
  EXPECT_FALSE(LoneBlock::make(config, kWidth)->evaluate(tokens(5)).aux_loss.defined());
}

// The bias chooses and does not weigh.
TEST(Moe, TheBiasMovesChoicesAndNotWeights) {
  MoeConfig config = config_of(4, 2);
  config.normalize_top_k = false;
  config.bias_update_rate = 0.5;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  const auto x = tokens(30, at::kDouble);
  const auto before = block->forward(x);
  const auto bias = block->parameters_of().buffers().front().tensor;
  bias.fill_(7);  // of all alike: nothing moves
  EXPECT_TRUE(same_bits(block->forward(x).y, before.y));
  bias[3] = 1e6;
  EXPECT_EQ(load_of(block->forward(x))[3].item<std::int64_t>(), 30);
}

TEST(Moe, TheBiasMovesBySignOnceAStepOnTheLoadOfAllItsTokens) {
  MoeConfig config = config_of(4, 1);
  config.normalize_top_k = false;
  config.bias_update_rate = 0.125;
  const auto block = LoneBlock::make(config, kWidth);
  Stats step, later;
  step.set("load", torch::tensor({10, 0, 6, 8}));
  later.set("load", torch::tensor({0, 0, 6, 2}));  // another micro-batch: 10, 0, 12, 10 in all, 8 in the mean
  step.add(later);
  block->block().commit(step);
  const auto bias = block->parameters_of().buffers().front().tensor;
  EXPECT_TRUE(same_bits(bias, torch::tensor({-0.125F, 0.125F, -0.125F, -0.125F})));
  Stats even;
  even.set("load", torch::tensor({3, 3, 3, 3}));
  block->block().commit(even);
  EXPECT_TRUE(same_bits(bias, torch::tensor({-0.125F, 0.125F, -0.125F, -0.125F})));
}

TEST(Moe, ForcedBalanceGivesEveryExpertTheSame) {
  MoeConfig config = config_of(8, 2);
  config.route = MoeRoute::balanced;
  const auto out = LoneBlock::make(config, kWidth)->forward(tokens(36));
  EXPECT_TRUE(same_bits(load_of(out), torch::full({8}, 9, at::kLong)));
}

// ---- Loads ---------------------------------------------------------------------------------------------------------

TEST(Moe, CountsEveryPairAndInEvaluationThoseOfCountedTokensAlone) {
  const auto block = LoneBlock::make(config_of(5, 3), kWidth);
  const auto x = tokens(12);
  EXPECT_EQ(load_of(block->forward(x)).sum().item<std::int64_t>(), 36);
  const auto counted = torch::arange(12).lt(4).view({1, 12});
  const auto some = block->block().forward({x, LoneBlock::ids_for(x), counted});
  EXPECT_TRUE(same_bits(load_of(some), load_of(block->forward(x.narrow(1, 0, 4)))));
}

TEST(Moe, FewerTokensThanExpertsAndOneTokenAreNothingSpecial) {
  for (const std::int64_t count : {1, 3}) {
    const auto config = config_of(16, 2);
    const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
    const auto x = tokens(count, at::kDouble);
    EXPECT_TRUE(near(block->forward(x).y, brute_force(*block, config, x, at::zeros({16}))));
  }
}

TEST(Load, TellsTheFullestTheEvennessAndTheUnused) {
  const auto figures = load_figures(torch::tensor({6, 2, 0, 0}));
  EXPECT_EQ(figures[0], (std::pair<std::string, double>("load_max", 3)));
  EXPECT_NEAR(figures[1].second, -(0.75 * std::log(0.75) + 0.25 * std::log(0.25)) / std::log(4), 1e-12);
  EXPECT_EQ(figures[2], (std::pair<std::string, double>("load_unused", 0.5)));
  const auto even = load_figures(torch::tensor({5, 5, 5, 5}));
  EXPECT_EQ(even[0].second, 1);
  EXPECT_NEAR(even[1].second, 1, 1e-12);
  EXPECT_TRUE(load_figures(torch::zeros({4}, at::kLong)).empty());
}

// ---- The start -----------------------------------------------------------------------------------------------------

TEST(Moe, StartsWithTheVarianceOfItsDenseTwinForEveryOption) {
  constexpr std::int64_t kModel = 96;
  for (const auto score : {MoeScore::softmax, MoeScore::sigmoid}) {
    for (const bool normalize : {true, false}) {
      for (const std::int64_t shared : {0, 2}) {
        MoeConfig config = config_of(16, 4, 32);
        config.score = score;
        config.normalize_top_k = normalize;
        config.shared_experts = shared;
        config.route_scale = 1.5;
        config.activation = shared > 0 ? DenseActivation::relu2 : DenseActivation::geglu;
        const double twin = mean_square_at_the_start(config.dense_twin(kModel), kModel);
        EXPECT_NEAR(mean_square_at_the_start(config, kModel) / twin, 1, 0.2)
            << normalize << shared << static_cast<int>(score);
        config.post_norm = true;
        EXPECT_NEAR(mean_square_at_the_start(config, kModel) / twin, 1, 0.2) << "with post_norm";
      }
    }
  }
}

// ---- What cannot be ------------------------------------------------------------------------------------------------

TEST(MoeConfig, RefusesWhatCannotBe) {
  const auto refusal = [](auto&& change) {
    MoeConfig config = config_of(8, 2);
    change(config);
    return test::complaint(ExitCode::config, [&] { config.check(); });
  };
  const std::string one_form =
      "a mixture is given by num_experts, top_k and d_expert, or by expansion, granularity and d_ff: all three of one "
      "of them, and none of the other";
  EXPECT_EQ(refusal([](auto&) {}), "");
  EXPECT_EQ(refusal([](auto& c) { c.top_k.reset(); }), one_form);
  EXPECT_EQ(refusal([](auto& c) { c.d_ff = 64; }), one_form);
  EXPECT_EQ(refusal([](auto& c) { c = MoeConfig(); }), one_form);
  EXPECT_EQ(refusal([](auto& c) { c.top_k = 9; }), "top_k (9) must not exceed num_experts (8)");
  EXPECT_EQ(refusal([](auto& c) {
              c = MoeConfig();
              c.expansion = 8, c.granularity = 3, c.d_ff = 64;
            }),
            "granularity (3) must divide d_ff (64): an expert's width is d_ff / granularity");
  EXPECT_EQ(refusal([](auto& c) { c.top_k = 1, c.normalize_top_k = true; }),
            "normalize_top_k with top_k 1 makes every weight 1: the router would not learn from the loss");
  EXPECT_EQ(refusal([](auto& c) { c.route = MoeRoute::balanced, c.bias_update_rate = 0.1; }),
            "bias_update_rate has no effect: route is balanced");
  EXPECT_EQ(refusal([](auto& c) { c.top_k = 8, c.bias_update_rate = 0.1; }),
            "bias_update_rate has no effect: every token runs all 8 experts");
  EXPECT_EQ(refusal([](auto& c) {
              c = MoeConfig();
              c.expansion = c.granularity = c.d_ff = 1 << 16;
            }),
            "expansion * granularity (4294967296) must not exceed 65536 experts");
}

}  // namespace
}  // namespace peerless
