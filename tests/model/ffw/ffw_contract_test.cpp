// What every feed-forward block promises. Runs for each config type in FfwConfig, so that a block in that list is
// tested.
#include <gtest/gtest.h>

#include <cmath>

#include "peerless/config/config.h"
#include "peerless/model/evaluation_mode.h"
#include "tests/support/blocks.h"
#include "tests/support/flop_counter.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::LoneBlock;
using test::near;
using test::same_bits;

template <class... C>
testing::Types<C...> as_types(std::variant<C...>*);
using EveryKind = decltype(as_types(static_cast<FfwConfig*>(nullptr)));

// A config of which a block is a part.
struct Holder {
  FfwConfig ffw;
  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("ffw", c.ffw, Any{}, "the block");
  }
};

struct KindName {  // so a failure reads FfwContract/peer.KeepsShapeAndDtype
  template <class C>
  static std::string GetName(int) {
    return std::string(C::kind);
  }
};

template <class C>
class FfwContract : public testing::Test {
 protected:
  static constexpr std::int64_t kWidth = 8;
  static std::shared_ptr<LoneBlock> make(at::ScalarType dtype = at::kFloat, std::uint64_t seed = 1) {
    return LoneBlock::make(C::small(), kWidth, seed, dtype);
  }
  // [2, 5, kWidth], of unit variance as after a norm.
  static at::Tensor input(at::ScalarType dtype = at::kFloat) {
    torch::manual_seed(0);
    return torch::randn({2, 5, kWidth}, at::kDouble).to(dtype);
  }
};
TYPED_TEST_SUITE(FfwContract, EveryKind, KindName);

TYPED_TEST(FfwContract, KeepsShapeAndDtype) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto y = this->make(dtype)->forward(this->input(dtype)).y;
    EXPECT_EQ(y.sizes(), this->input().sizes());
    EXPECT_EQ(y.scalar_type(), dtype);
  }
}

TYPED_TEST(FfwContract, ClaimsItsTrueNumberOfParameters) {
  const auto config = TypeParam::small();
  std::int64_t claimed = config.cost(this->kWidth).parameters;
  for (const auto& table : config.tables(this->kWidth, 0)) claimed += table.rows * table.width;
  EXPECT_EQ(claimed, this->make()->parameters_of().num_elements());
}

TYPED_TEST(FfwContract, ClaimsTheFlopsThatAreCounted) {
  const auto block = this->make();
  const auto x = this->input();
  const test::FlopCounter counter;
  block->forward(x);
  EXPECT_EQ(TypeParam::small().cost(this->kWidth).flops * 10, counter.flops());
}

TYPED_TEST(FfwContract, GivesTheSameBitsFromTheSameSeed) {
  EXPECT_TRUE(same_bits(this->make()->forward(this->input()).y, this->make()->forward(this->input()).y));
}

TYPED_TEST(FfwContract, GivesEveryParameterAFiniteGradient) {
  const auto block = this->make();
  const auto x = this->input().requires_grad_();
  block->forward(x).y.square().sum().backward();
  EXPECT_GT(x.grad().abs().sum().template item<double>(), 0);
  for (const auto& parameter : block->parameters_of().parameters()) {
    const auto gradient = dense_grad(parameter);
    EXPECT_TRUE(gradient.isfinite().all().template item<bool>()) << parameter.name;
    EXPECT_GT(gradient.abs().sum().template item<double>(), 0) << parameter.name;
  }
}

TYPED_TEST(FfwContract, HasTheGradientsOfFiniteDifferences) {
  const auto block = this->make(at::kDouble);
  auto x = this->input(at::kDouble).requires_grad_();
  const auto weights = torch::randn_like(x);
  const auto objective = [&] { return (block->forward(x).y * weights).sum(); };
  objective().backward();
  const auto value = [&] { return objective().template item<double>(); };
  constexpr double kTolerance = 1e-6;  // of the differences themselves
  EXPECT_LT(test::error(x.grad(), test::numeric_gradient(x, value)), kTolerance);
  for (const auto& parameter : block->parameters_of().parameters()) {
    const auto gradient = dense_grad(parameter).clone();
    const auto numeric = test::numeric_gradient(parameter.tensor, value);
    EXPECT_LT((gradient - numeric).norm().template item<double>(),
              kTolerance * (1 + numeric.norm().template item<double>()))
        << parameter.name;
  }
}

TYPED_TEST(FfwContract, TreatsTokensOneByOneInEvaluation) {
  const auto block = this->make();
  const EvaluationMode evaluation(*block);
  const auto all = block->forward(this->input()).y;
  const auto third = block->forward(this->input().slice(1, 2, 3)).y;
  EXPECT_TRUE(near(third, all.slice(1, 2, 3)));
}

TYPED_TEST(FfwContract, WritesNoStateInForward) {
  const auto block = this->make();
  const auto before = test::copy_of(block->parameters_of().named_tensors());
  block->forward(this->input());
  {
    const EvaluationMode evaluation(*block);
    block->forward(this->input());
  }
  const auto after = test::copy_of(block->parameters_of().named_tensors());
  for (std::size_t i = 0; i < before.size(); ++i) EXPECT_TRUE(same_bits(after[i], before[i]));
}

TYPED_TEST(FfwContract, ComputesNearlyTheSameInBf16) {
  const auto block = this->make();
  const auto x = this->input().to(at::kBFloat16);
  const auto low = block->forward(x).y;
  EXPECT_EQ(low.scalar_type(), at::kBFloat16);
  EXPECT_LT(test::error(low, block->forward(x.to(at::kFloat)).y), test::tolerance(at::kBFloat16));
}

TYPED_TEST(FfwContract, StartsWithTheOutputVarianceThatItClaims) {
  constexpr std::int64_t kModel = 64, kTokens = 512, kLayers = 2;
  constexpr int kSeeds = 8;
  const auto config = TypeParam::small();
  double variance = 0;
  for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
    torch::manual_seed(static_cast<std::int64_t>(seed));
    const auto block = LoneBlock::make(config, kModel, seed, at::kFloat, kLayers);
    variance += block->forward(torch::randn({1, kTokens, kModel})).y.square().mean().template item<double>() / kSeeds;
  }
  EXPECT_NEAR(variance / config.output_variance(kModel, kLayers), 1, 0.2);
}

TYPED_TEST(FfwContract, SurvivesADumpAndARead) {
  const FfwConfig config = TypeParam::small();
  EXPECT_EQ(config::parse<Holder>(config::dump(Holder{config}), "test").ffw, config);
}

}  // namespace
}  // namespace peerless
