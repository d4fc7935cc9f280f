#include "peerless/model/ffw/dense.h"

#include <gtest/gtest.h>

#include "tests/support/blocks.h"
#include "tests/support/flop_counter.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::LoneBlock;

constexpr DenseActivation kAll[] = {DenseActivation::gelu, DenseActivation::relu2, DenseActivation::swiglu,
                                    DenseActivation::geglu};

std::string name_of(DenseActivation a) { return std::string(enum_names(a)[static_cast<std::size_t>(a)]); }

TEST(Dense, StartsWithTheOutputVarianceThatItClaims) {
  constexpr std::int64_t kModel = 128, kTokens = 512, kLayers = 3;
  constexpr int kSeeds = 8;
  for (const auto activation : kAll) {
    const DenseConfig config{.activation = activation, .d_ff = 256};
    double variance = 0;
    for (std::uint64_t seed = 1; seed <= kSeeds; ++seed) {
      torch::manual_seed(static_cast<std::int64_t>(seed));
      const auto block = LoneBlock::make(config, kModel, seed, at::kFloat, kLayers);
      variance += block->forward(torch::randn({1, kTokens, kModel})).y.square().mean().item<double>() / kSeeds;
    }
    EXPECT_NEAR(variance / config.output_variance(kModel, kLayers), 1, 0.05) << name_of(activation);
  }
}

TEST(Dense, DoesTwiceTheFlopsBackward) {
  constexpr std::int64_t kModel = 8, kTokens = 10;
  for (const auto activation : kAll) {
    const DenseConfig config{.activation = activation, .d_ff = 12};
    const auto block = LoneBlock::make(config, kModel);
    const auto x = torch::randn({2, kTokens / 2, kModel}).requires_grad_();
    const auto y = block->forward(x).y.square().sum();
    const test::FlopCounter counter;
    y.backward();
    EXPECT_EQ(counter.flops(), 2 * config.cost(kModel).flops * kTokens) << name_of(activation);
  }
}

}  // namespace
}  // namespace peerless
