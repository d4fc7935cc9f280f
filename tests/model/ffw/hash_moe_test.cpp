#include "peerless/model/ffw/hash_moe.h"

#include <gtest/gtest.h>

#include "tests/support/blocks.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::LoneBlock;
using test::near;
using test::same_bits;

// The 32-bit mixer in the numbers it is written for.
std::int64_t hash(std::uint32_t id, std::uint32_t layer, std::uint32_t experts) {
  std::uint32_t h = id * 0x5bd1e995U + (layer + 1) * 0x27d4eb2fU;
  h ^= h >> 15;
  h *= 0x2c1b3c6dU;
  h ^= h >> 12;
  h *= 0x297a2d39U;
  h ^= h >> 15;
  return h % experts;
}

TEST(HashMoe, HashesInPlainIntegers) {
  const auto ids = torch::arange(200'000);
  for (const std::int64_t layer : {0, 5}) {
    const auto experts = hash_experts(ids, layer, 7);
    for (const std::int64_t id : {0, 1, 2, 63, 64, 4095, 131'071, 199'999})
      EXPECT_EQ(experts[id].item<std::int64_t>(), hash(static_cast<std::uint32_t>(id), layer, 7)) << id;
  }
}

TEST(HashMoe, ATokenPassesTheThreeMatricesOfOneExpert) {
  EXPECT_EQ((HashMoeConfig{.num_experts = 5, .d_expert = 7}.cost(8).active_parameters), 3 * 7 * 8);
}

TEST(HashMoe, SpreadsAVocabularyEvenlyAndEachLayerOtherwise) {
  const auto ids = torch::arange(32'000);
  const auto one = hash_experts(ids, 0, 16), other = hash_experts(ids, 1, 16);
  const auto loads = torch::bincount(one, {}, 16);
  EXPECT_LT(loads.max().item<std::int64_t>(), 2200);  // 2000 in the mean, 43 the deviation of a random hash
  EXPECT_GT(loads.min().item<std::int64_t>(), 1800);
  EXPECT_NEAR(one.eq(other).to(at::kDouble).mean().item<double>(), 1.0 / 16, 0.01);
}

TEST(HashMoe, EachTokenRunsTheExpertOfItsIdAlone) {
  const HashMoeConfig config{.num_experts = 3, .d_expert = 5};
  const auto block = LoneBlock::make(config, 8, 1, at::kDouble);
  torch::manual_seed(1);
  const auto x = torch::randn({2, 6, 8}, at::kDouble), ids = torch::randint(90, {2, 6}, at::kLong);
  const auto y = block->forward(x, ids).y;
  const auto of = [&](const char* name, std::int64_t e) {
    return block->parameters_of().at(concat("ffw.experts.", name)).tensor[e];
  };
  for (std::int64_t b = 0; b < 2; ++b) {
    for (std::int64_t t = 0; t < 6; ++t) {
      const std::int64_t e = hash(static_cast<std::uint32_t>(ids[b][t].item<std::int64_t>()), 0, 3);
      const auto h = at::silu(of("gate", e).mv(x[b][t])) * of("up", e).mv(x[b][t]);
      EXPECT_TRUE(near(y[b][t], of("down", e).mv(h)));
    }
  }
}

}  // namespace
}  // namespace peerless
