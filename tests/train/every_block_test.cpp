// What training promises of every feed-forward block. Runs for each config type in FfwConfig, as ffw_contract_test.cpp.
#include <gtest/gtest.h>

#include "peerless/params/tensor_state.h"
#include "peerless/train/training_step.h"
#include "tests/support/every_block.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::same_bits;

// A run of a small model whose second layer has the block: two micro-batches a step, drawn from the step's number.
class SmallRun {
 public:
  SmallRun(const FfwConfig& ffw, std::uint64_t seed, bool recomputed = false) : model_(test::make_model(config(ffw))) {
    ParameterSet(*model_).initialize(seed);
    model_->decoder->recompute_layers(recomputed);
    step_ = std::make_unique<TrainingStep>(*model_, AdamWConfig(), *communicator_);
  }

  void train(std::int64_t first, std::int64_t last) {
    for (std::int64_t i = first; i < last; ++i) {
      std::uint64_t drawn = 2 * static_cast<std::uint64_t>(i);
      const StepPlan plan{.micro_batches_here = 2, .micro_batches = 2, .targets = 2 * kTokens, .lr = 0.01};
      EXPECT_FALSE(step_->run(plan, [&] { return batch(++drawn); }).skipped);
    }
  }
  NamedTensors state() const { return step_->named_tensors(); }
  at::Tensor state_of(std::string_view name_ends_with) const {
    for (const auto& [name, tensor] : state())
      if (name.ends_with(name_ends_with)) return tensor;
    throw std::logic_error("no such tensor");
  }

  void expect_same_bits(const SmallRun& other) const {
    const auto mine = state(), theirs = other.state();
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i)
      EXPECT_TRUE(same_bits(mine[i].second, theirs[i].second)) << mine[i].first;
  }

 private:
  static constexpr std::int64_t kTokens = 3 * 12;

  static ModelConfig config(const FfwConfig& ffw) {
    ModelConfig config = test::small_model();
    config.layers = {{LayerSet{LayerRange{1, 1}}, ffw}};
    return config;
  }
  static Batch batch(std::uint64_t number) {
    const auto draw = [&](std::uint64_t seed) {
      const auto ids = test::some_ids(3, 12, 50, seed).flatten();
      return std::vector<std::int64_t>(ids.const_data_ptr<std::int64_t>(),
                                       ids.const_data_ptr<std::int64_t>() + kTokens);
    };
    return {.batch = 3,
            .seq_len = 12,
            .inputs = draw(2 * number),
            .targets = draw(2 * number + 1),
            .mask = std::vector<std::uint8_t>(kTokens, 1),
            .unmasked = kTokens};
  }

  std::unique_ptr<Communicator> communicator_ = single_process();
  std::shared_ptr<LanguageModel> model_;
  std::unique_ptr<TrainingStep> step_;
};

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
    for (std::size_t i = 0; i < from.size(); ++i) to[i].second.copy_(from[i].second);
  }
  after.train(3, 6);
  after.expect_same_bits(whole);
}

TEST_P(EveryBlock, TrainsTheSameWhenLayersAreRecomputed) {
  SmallRun kept(GetParam(), 1), recomputed(GetParam(), 1, /*recomputed=*/true);
  kept.train(0, 3);
  recomputed.train(0, 3);
  recomputed.expect_same_bits(kept);
}

}  // namespace
}  // namespace peerless
