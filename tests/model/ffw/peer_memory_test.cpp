// Nothing of shape [tokens, heads, top_k, d_model] is ever stored: neither the experts that tokens retrieve, nor what
// these say, nor their gradients.
#include <gtest/gtest.h>

#include "tests/support/allocations.h"
#include "tests/support/brute_force_peer.h"

namespace peerless {
namespace {

TEST(PeerMemory, AStepNeedsLessThanOneCopyOfTheRowsItRetrieves) {
  constexpr std::int64_t kTokens = 256, kWidth = 64, kHeads = 4, kTopK = 16;
  constexpr std::int64_t kGathered = kTokens * kHeads * kTopK * kWidth * 4;  // bytes of one such tensor in fp32
  for (const bool glu : {false, true}) {
    auto config = test::config_of(32, kHeads, kTopK);
    config.glu = glu;
    const auto block = test::LoneBlock::make(config, kWidth);
    const auto x = torch::randn({1, kTokens, kWidth}).requires_grad_();
    const test::Allocations allocations;
    block->forward(x).y.square().sum().backward();
    EXPECT_GT(allocations.peak(), 0);
    EXPECT_LT(allocations.peak(), kGathered);
  }
}

}  // namespace
}  // namespace peerless
