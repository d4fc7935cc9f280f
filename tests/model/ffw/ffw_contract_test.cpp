// What every feed-forward block promises. Runs for each config type in FfwConfig, so that a block in that list is
// tested; what takes a whole training step stands in tests/train/every_block_test.cpp.
#include <gtest/gtest.h>

#include "peerless/config/config.h"
#include "peerless/model/evaluation_mode.h"
#include "tests/support/blocks.h"
#include "tests/support/every_block.h"
#include "tests/support/flop_counter.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::LoneBlock;
using test::near;
using test::same_bits;

// A config of which a block is a part.
struct Holder {
  FfwConfig ffw;
  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("ffw", c.ffw, Any{}, "the block");
  }
};

class FfwContract : public testing::TestWithParam<FfwConfig> {
 protected:
  static constexpr std::int64_t kWidth = 8;

  // What the config claims.
  template <class F>
  static auto claim(F&& f) {
    return std::visit(f, GetParam());
  }
  static Cost cost() {
    return claim([](const auto& c) { return c.cost(kWidth); });
  }

  static std::shared_ptr<LoneBlock> make(at::ScalarType dtype = at::kFloat, std::uint64_t seed = 1) {
    return LoneBlock::make(GetParam(), kWidth, seed, dtype);
  }
  // [2, 5, kWidth], of unit variance as after a norm.
  static at::Tensor input(at::ScalarType dtype = at::kFloat) {
    torch::manual_seed(0);
    return torch::randn({2, 5, kWidth}, at::kDouble).to(dtype);
  }
  // What a gradient is taken of: some of y, and what the block adds to the loss.
  static at::Tensor objective(const FfwOutput& out) {
    const auto weights = (at::arange(out.y.numel(), out.y.options()) * 0.7).sin().view_as(out.y);
    const auto of_y = (out.y * weights).sum();
    return out.aux_loss.defined() ? of_y + out.aux_loss : of_y;
  }
};
INSTANTIATE_TEST_SUITE_P(Of, FfwContract, test::every_block(), test::name_of_block);

TEST_P(FfwContract, KeepsShapeAndDtype) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto y = make(dtype)->forward(input(dtype)).y;
    EXPECT_EQ(y.sizes(), input().sizes());
    EXPECT_EQ(y.scalar_type(), dtype);
  }
}

TEST_P(FfwContract, ClaimsItsTrueNumberOfParameters) {
  std::int64_t claimed = cost().parameters;
  for (const auto& table : claim([](const auto& c) { return c.tables(kWidth, 0); }))
    claimed += table.rows * table.width;
  EXPECT_EQ(claimed, make()->parameters_of().num_elements());
}

TEST_P(FfwContract, ClaimsTheFlopsThatAreCounted) {
  const auto block = make();
  const auto x = input();
  const test::FlopCounter counter;
  block->forward(x);
  EXPECT_EQ(cost().flops * 10, counter.flops());
}

TEST_P(FfwContract, ClaimsForRoutingNoMoreThanForAll) {
  EXPECT_LE(cost().routing_parameters, cost().parameters);
  EXPECT_LE(cost().routing_flops, cost().flops);
}

TEST_P(FfwContract, GivesTheSameBitsFromTheSameSeed) {
  EXPECT_TRUE(same_bits(make()->forward(input()).y, make()->forward(input()).y));
}

TEST_P(FfwContract, GivesEveryParameterAFiniteGradient) {
  const auto block = make();
  const auto x = input().requires_grad_();
  objective(block->forward(x)).backward();
  EXPECT_GT(x.grad().abs().sum().item<double>(), 0);
  for (const auto& parameter : block->parameters_of().parameters()) {
    const auto gradient = dense_grad(parameter);
    EXPECT_TRUE(gradient.isfinite().all().item<bool>()) << parameter.name;
    EXPECT_GT(gradient.abs().sum().item<double>(), 0) << parameter.name;
  }
}

TEST_P(FfwContract, HasTheGradientsOfFiniteDifferences) {
  const auto block = make(at::kDouble);
  auto x = input(at::kDouble).requires_grad_();
  objective(block->forward(x)).backward();
  const auto value = [&] { return objective(block->forward(x)).item<double>(); };
  constexpr double kTolerance = 1e-6;  // of the differences themselves
  EXPECT_LT(test::error(x.grad(), test::numeric_gradient(x, value)), kTolerance);
  for (const auto& parameter : block->parameters_of().parameters()) {
    const auto gradient = dense_grad(parameter).clone();
    const auto numeric = test::numeric_gradient(parameter.tensor, value);
    EXPECT_LT((gradient - numeric).norm().item<double>(), kTolerance * (1 + numeric.norm().item<double>()))
        << parameter.name;
  }
}

TEST_P(FfwContract, TreatsTokensOneByOneInEvaluation) {
  const auto block = make();
  const EvaluationMode evaluation(*block);
  const auto x = input(), ids = LoneBlock::ids_for(x);
  const auto all = block->forward(x, ids).y;
  const auto third = block->forward(x.slice(1, 2, 3), ids.slice(1, 2, 3)).y;
  EXPECT_TRUE(near(third, all.slice(1, 2, 3)));
}

TEST_P(FfwContract, WritesNoStateInForward) {
  const auto block = make();
  const auto before = test::copy_of(block->parameters_of().named_tensors());
  block->forward(input());
  {
    const EvaluationMode evaluation(*block);
    block->forward(input());
  }
  const auto after = test::copy_of(block->parameters_of().named_tensors());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(same_bits(after[i], before[i]));
}

TEST_P(FfwContract, ComputesNearlyTheSameInBf16) {
  const auto block = make();
  const auto x = input().to(at::kBFloat16);
  const auto low = block->forward(x).y;
  EXPECT_EQ(low.scalar_type(), at::kBFloat16);
  EXPECT_LT(test::error(low, block->forward(x.to(at::kFloat)).y), test::tolerance(at::kBFloat16));
}

TEST_P(FfwContract, StartsWithTheOutputVarianceOfItsDenseTwin) {
  constexpr std::int64_t kModel = 64;
  const DenseConfig twin = claim([](const auto& c) { return c.dense_twin(kModel); });
  EXPECT_NEAR(test::mean_square_at_the_start(GetParam(), kModel) / test::mean_square_at_the_start(twin, kModel), 1,
              0.2);
}

TEST_P(FfwContract, ItsStateIsAllThatItComputesFrom) {
  const auto block = make(), other = make(at::kFloat, /*seed=*/2);
  const auto x = input();
  block->block().commit(block->forward(x).stats);  // running statistics are state too
  const torch::NoGradGuard no_grad;
  const auto from = block->parameters_of().named_tensors(), to = other->parameters_of().named_tensors();
  ASSERT_EQ(from.size(), to.size());
  for (std::size_t i = 0; i < from.size(); ++i) {
    ASSERT_EQ(from[i].name, to[i].name);
    to[i].tensor.copy_(from[i].tensor);
  }
  EXPECT_TRUE(same_bits(other->forward(x).y, block->forward(x).y));
  EXPECT_TRUE(same_bits(other->evaluate(x).y, block->evaluate(x).y));
}

TEST_P(FfwContract, SurvivesADumpAndARead) {
  EXPECT_EQ(config::parse<Holder>(config::dump(Holder{GetParam()}), "test").ffw, GetParam());
}

}  // namespace
}  // namespace peerless
