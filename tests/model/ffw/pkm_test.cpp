#include "peerless/model/ffw/pkm.h"

#include <gtest/gtest.h>
#include <torch/nn/functional/embedding.h>

#include "tests/support/blocks.h"
#include "tests/support/complaint.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::LoneBlock;
using test::mean_square_at_the_start;
using test::near;

constexpr std::int64_t kWidth = 8;

PkmConfig config_of(std::int64_t n, std::int64_t heads, std::int64_t top_k) {
  PkmConfig config;
  config.num_values = n * n;
  config.heads = heads;
  config.top_k = top_k;
  config.d_key = 6;
  config.query_norm = QueryNormKind::none;
  return config;
}

at::Tensor parameter(const LoneBlock& block, const std::string& name) {
  return block.parameters_of().at("ffw." + name).tensor;
}

// The bag's ids and weights by scoring every value, then torch.nn.EmbeddingBag.
at::Tensor embedding_bag(LoneBlock& block, const PkmConfig& c, const at::Tensor& x) {
  const auto q =
      at::linear(x.flatten(0, 1), parameter(block, "router.query.weight")).view({-1, c.heads, 2, c.d_key / 2});
  const auto keys = parameter(block, "router.keys").expand({c.heads, 2, c.routing().n(), c.d_key / 2});
  const auto s = at::einsum("thpc,hpnc->thpn", {q, keys});
  const auto all = (s.select(2, 0).unsqueeze(-1) + s.select(2, 1).unsqueeze(-2)).flatten(-2);
  const auto [best, ids] = all.topk(c.top_k, -1);
  const auto weights = c.score == RouterScore::softmax   ? best.softmax(-1)
                       : c.score == RouterScore::sigmoid ? best.sigmoid()
                                                         : best.relu();
  namespace F = torch::nn::functional;
  const auto bag = F::embedding_bag(
      ids.flatten(1), block.only_table()->weight(),
      F::EmbeddingBagFuncOptions().mode(torch::kSum).per_sample_weights(weights.flatten(1).contiguous()));
  if (c.gate == PkmGate::none) return bag.view_as(x);
  const auto gate = at::silu(at::linear(x, parameter(block, "gate.weight")));
  return at::linear(bag.view_as(x) * gate, parameter(block, "output.weight"));
}

TEST(Pkm, IsAnEmbeddingBagOverAllHeads) {
  torch::manual_seed(1);
  const auto x = torch::randn({2, 20, kWidth}, at::kDouble);
  for (const auto score : {RouterScore::softmax, RouterScore::sigmoid, RouterScore::relu}) {
    for (const auto gate : {PkmGate::none, PkmGate::silu}) {
      for (const auto keys : {ProductKeys::shared, ProductKeys::per_head}) {
        auto config = config_of(7, 3, 4);
        config.score = score;
        config.gate = gate;
        config.keys = keys;
        const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
        EXPECT_TRUE(near(block->forward(x).y, embedding_bag(*block, config, x)));
      }
    }
  }
}

TEST(Pkm, GradientsOfValuesAreThoseOfTheEmbeddingBag) {
  torch::manual_seed(1);
  const auto x = torch::randn({2, 20, kWidth}, at::kDouble);
  auto config = config_of(7, 3, 4);
  config.gate = PkmGate::silu;
  const auto block = LoneBlock::make(config, kWidth, 1, at::kDouble);
  block->forward(x).y.square().sum().backward();
  std::vector<at::Tensor> ours;
  for (const auto& p : block->parameters_of().parameters()) {
    ours.push_back(dense_grad(p).clone());
    if (p.rows) p.rows->clear();
    p.tensor.mutable_grad().reset();
  }
  embedding_bag(*block, config, x).square().sum().backward();
  for (std::size_t i = 0; i < ours.size(); ++i)
    EXPECT_TRUE(near(ours[i], block->parameters_of().parameters()[i].tensor.grad()));
}

// Queries 3 heads x 6 x 8; their norm 2 x 18; sub-keys 3 heads x 2 x 7 x 3; values 3 heads x 4 x 8; two matrices 8 x 8.
TEST(Pkm, ATokenPassesTheRowsThatItRetrieves) {
  auto config = config_of(7, 3, 4);
  EXPECT_EQ(config.cost(kWidth).active_parameters, 144 + 126 + 96);
  config.query_norm = QueryNormKind::batch;
  config.gate = PkmGate::silu;
  EXPECT_EQ(config.cost(kWidth).active_parameters, 144 + 36 + 126 + 96 + 128);
}

TEST(Pkm, EveryValueCanBeReached) {
  auto config = config_of(6, 2, 3);
  const auto block = LoneBlock::make(config, kWidth);
  torch::manual_seed(1);
  const auto figures = block->block().figures(block->evaluate(torch::randn({8, 200, kWidth})).stats);
  EXPECT_EQ(figures.front(), (std::pair<std::string, double>("usage", 1)));
}

TEST(Pkm, StartsWithTheVarianceOfItsDenseTwinForEveryOption) {
  constexpr std::int64_t kModel = 64;
  const double twin = mean_square_at_the_start(config_of(16, 4, 8).dense_twin(kModel), kModel);
  for (const auto score : {RouterScore::softmax, RouterScore::sigmoid, RouterScore::relu}) {
    for (const auto gate : {PkmGate::none, PkmGate::silu}) {
      for (const auto norm : {QueryNormKind::batch, QueryNormKind::rms, QueryNormKind::none}) {
        auto config = config_of(16, 4, 8);
        config.d_key = 32;
        config.score = score;
        config.gate = gate;
        config.query_norm = norm;
        EXPECT_NEAR(mean_square_at_the_start(config, kModel) / twin, 1, 0.2)
            << static_cast<int>(score) << static_cast<int>(gate) << static_cast<int>(norm);
      }
    }
  }
}

TEST(PkmConfig, RefusesWhatCannotBe) {
  const auto refusal = [](auto&& change) {
    PkmConfig config = config_of(4, 1, 2);
    change(config);
    return test::complaint(ExitCode::config, [&] { config.check(); });
  };
  EXPECT_EQ(refusal([](auto&) {}), "");
  EXPECT_EQ(refusal([](auto& c) { c.num_values = 15; }),
            "num_values (15) must be a square: values are pairs of sub-keys; the nearest are 9, 16 and 25");
  EXPECT_EQ(refusal([](auto& c) { c.top_k = 5; }),
            "top_k (5) must not exceed the 4 sub-keys of each half, sqrt(num_values)");
  EXPECT_EQ(refusal([](auto& c) { c.table = "a.b"; }),
            "table 'a.b' must hold no dot and not begin with 'layer', the name of unnamed tables");
}

}  // namespace
}  // namespace peerless
