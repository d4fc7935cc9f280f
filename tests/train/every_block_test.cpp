// What training promises of every feed-forward block. Runs for each config type in FfwConfig, as ffw_contract_test.cpp.
#include <gtest/gtest.h>

#include "tests/support/every_block.h"
#include "tests/support/local_group.h"
#include "tests/support/small_run.h"

namespace peerless {
namespace {

using test::SmallRun;

class EveryBlock : public testing::TestWithParam<FfwConfig> {};
INSTANTIATE_TEST_SUITE_P(Of, EveryBlock, test::every_block(), test::name_of_block);

// A mixture's bias moves once in a step of two micro-batches, by the loads of both.
TEST(Mixture, MovesItsBiasOncePerStep) {
  auto mixture = MoeConfig::small();
  mixture.bias_update_rate = 0.25;
  SmallRun run(mixture, 1);
  run.train(0, 1);
  const auto most = run.state_of("ffw.bias").abs().max().item<float>();
  EXPECT_GT(most, 0);
  EXPECT_LE(most, 0.25F);
}

TEST(ProductKeys, CountOneStepOfTwoMicroBatches) {
  SmallRun run(PeerConfig::small(), 1);
  run.train(0, 1);
  EXPECT_EQ(run.state_of("num_commits").item<std::int64_t>(), 1);
}

// Training 3 steps, moving the whole state to a new run of another start, and training 3 more is training 6.
TEST_P(EveryBlock, GoesOnFromItsStateBitForBit) {
  SmallRun whole(GetParam(), 1), before(GetParam(), 1), after(GetParam(), 2);
  whole.train(0, 6);
  before.train(0, 3);
  {
    const torch::NoGradGuard no_grad;
    const auto from = before.state(), to = after.state();
    for (std::size_t i = 0; i < from.size(); ++i) to[i].tensor.copy_(from[i].tensor);
  }
  after.train(3, 6);
  after.expect_same_bits(whole);
}

TEST_P(EveryBlock, TrainsTheSameWhenLayersAreRecomputed) {
  SmallRun kept(GetParam(), 1), recomputed(GetParam(), 1, {.recomputed = true});
  kept.train(0, 3);
  recomputed.train(0, 3);
  recomputed.expect_same_bits(kept);
}

TEST_P(EveryBlock, TrainsTheSameOnAnyNumberOfProcesses) {
  for (const auto order : {SumOrder::tree, SumOrder::sequence}) {
    SmallRun alone(GetParam(), 1, {.micro_batches = 4, .division = {.order = order}});
    const auto loss = alone.train(0, 3).loss;
    for (const bool zero : {false, true}) {
      for (const std::int64_t processes : {2, 4}) {
        test::in_group(processes, [&](Communicator& communicator) {
          SmallRun run(GetParam(), 1, {.micro_batches = 4, .division = {.order = order, .zero = zero}}, communicator);
          EXPECT_NEAR(run.train(0, 3).loss, loss, order == SumOrder::tree ? 0 : 1e-5 * loss);
          if (order == SumOrder::tree) run.expect_same_bits(alone);
        });
      }
    }
  }
}

// Groups of processes share out experts and tables: each has of the first step what one process has that holds all.
TEST_P(EveryBlock, TrainsTheSameWhereProcessesHoldItTogether) {
  SmallRun alone(GetParam(), 1, {.micro_batches = 4});
  const auto loss = alone.train(0, 1).loss;
  for (const auto& [processes, ways] : {std::pair{2, 2}, {4, 2}, {4, 4}}) {
    for (const bool zero : {false, true}) {
      test::in_group(processes, [&, ways = ways](Communicator& communicator) {
        const test::SmallRunOptions options{
            .micro_batches = 4, .division = {.zero = zero}, .experts = ways, .tables = ways};
        SmallRun run(GetParam(), 1, options, communicator);
        EXPECT_NEAR(run.train(0, 1).loss, loss, 1e-6 * loss);
        run.expect_near_gradients(alone);
      });
    }
  }
}

// Of every block's state, where each process could hold a fair share of it.
ModelConfig model_of_many_experts() {
  PeerConfig peer = PeerConfig::small();
  peer.num_experts = 4096;
  MoeConfig mixture = MoeConfig::small();
  mixture.num_experts = 8;
  mixture.d_expert = 32;
  ModelConfig config = test::small_model();
  config.d_model = 64;
  config.n_layers = 3;
  config.layers = {{LayerSet{LayerRange{1, 1}}, peer}, {LayerSet{LayerRange{2, 2}}, mixture}};
  return config;
}

std::int64_t bytes_of_moments(const SmallRun& run) {
  std::int64_t bytes = 0;
  for (const auto& [name, tensor, slice] : run.state())
    if (name.starts_with("optim.")) bytes += static_cast<std::int64_t>(tensor.nbytes());
  return bytes;
}

TEST(Zero, DividesTheOptimizersState) {
  const auto whole = static_cast<double>(bytes_of_moments(SmallRun(model_of_many_experts(), 1)));
  for (const std::int64_t processes : {2, 4}) {
    test::in_group(processes, [&](Communicator& communicator) {
      const SmallRun run(model_of_many_experts(), 1, {.micro_batches = 4, .division = {.zero = true}}, communicator);
      const double share = whole / static_cast<double>(processes);
      EXPECT_NEAR(static_cast<double>(bytes_of_moments(run)), share, 0.02 * share);
    });
  }
}

// Muon's go from process to process as whole matrices: of a mixture's experts, each has some.
TEST(Zero, DividesTheExpertsOfMuonAndKeepsTheirBits) {
  const auto options = [](bool zero) {
    return test::SmallRunOptions{
        .micro_batches = 4, .division = {.order = SumOrder::tree, .zero = zero}, .optim = MuonConfig()};
  };
  SmallRun alone(model_of_many_experts(), 1, options(false));
  alone.train(0, 3);
  const auto all = alone.state_of("optim.momentum.decoder.layers.2.ffw.experts.up").numel();
  for (const std::int64_t processes : {2, 4}) {
    test::in_group(processes, [&](Communicator& communicator) {
      SmallRun run(model_of_many_experts(), 1, options(true), communicator);
      run.train(0, 3);
      run.expect_same_bits(alone);
      EXPECT_EQ(run.state_of("optim.momentum.decoder.layers.2.ffw.experts.up").numel(), all / processes);
    });
  }
}

TEST_P(EveryBlock, RepeatsItsBitsWhereProcessesHoldItTogether) {
  test::in_group(4, [&](Communicator& communicator) {
    const test::SmallRunOptions options{.micro_batches = 4, .division = {.zero = true}, .experts = 2, .tables = 2};
    auto recomputed = options;
    recomputed.recomputed = true;
    SmallRun once(GetParam(), 1, options, communicator), again(GetParam(), 1, options, communicator),
        third(GetParam(), 1, recomputed, communicator);
    for (auto* const run : {&once, &again, &third}) run->train(0, 4);
    const auto expected = once.state();
    for (const auto* const run : {&again, &third})
      for (std::size_t i = 0; i < expected.size(); ++i)
        EXPECT_TRUE(test::same_bits(run->state()[i].tensor, expected[i].tensor)) << expected[i].name;
  });
}

}  // namespace
}  // namespace peerless
