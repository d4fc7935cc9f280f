// The training of a small model with one block of a kind, without files.
#pragma once

#include <gtest/gtest.h>

#include <mutex>

#include "peerless/train/training_step.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

namespace peerless::test {

struct SmallRunOptions {
  std::int64_t micro_batches = 2;  // of a step, of all processes
  Division division = {};
  OptimConfig optim = AdamWConfig();
  bool recomputed = false;
  at::Device device = at::kCPU;
};

// Its second layer has the block. Batches are drawn from their numbers alone.
class SmallRun {
 public:
  SmallRun(const FfwConfig& ffw, std::uint64_t seed, const SmallRunOptions& options = {},
           Communicator& communicator = alone())
      : micro_batches_(options.micro_batches),
        communicator_(communicator),
        model_(make_model(config(ffw), 50, 12, at::kFloat, options.device)) {
    ParameterSet(*model_).initialize(seed);
    model_->decoder->recompute_layers(options.recomputed);
    step_ = std::make_unique<TrainingStep>(*model_, options.optim, communicator, options.division);
  }

  // Steps [first, last); the loss of the last one.
  double train(std::int64_t first, std::int64_t last) {
    const auto here = micro_batches_ / communicator_.world_size();
    const StepPlan plan{
        .micro_batches_here = here, .micro_batches = micro_batches_, .targets = micro_batches_ * kTokens, .lr = 0.01};
    double loss = 0;
    for (std::int64_t i = first; i < last; ++i) {
      auto number = static_cast<std::uint64_t>(i * micro_batches_ + communicator_.rank() * here);
      const auto report = step_->run(plan, [&] { return batch(++number); });
      EXPECT_FALSE(report.skipped);
      loss = report.loss;
    }
    return loss;
  }
  NamedTensors state() const { return step_->named_tensors(); }
  at::Tensor state_of(std::string_view name_ends_with) const {
    for (const auto& [name, tensor, slice] : state())
      if (name.ends_with(name_ends_with)) return tensor;
    throw std::logic_error("no such tensor");
  }

  // Slices are compared with what the other has there.
  void expect_same_bits(const SmallRun& other) const {
    const auto mine = state(), theirs = other.state();
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      auto there = theirs[i].tensor;
      if (const auto& slice = mine[i].slice)
        there = there.slice(0, slice->offset[0], slice->offset[0] + mine[i].tensor.size(0));
      EXPECT_TRUE(same_bits(mine[i].tensor, there)) << mine[i].name;
    }
  }

 private:
  static constexpr std::int64_t kTokens = 3 * 12;

  static ModelConfig config(const FfwConfig& ffw) {
    ModelConfig config = small_model();
    config.layers = {{LayerSet{LayerRange{1, 1}}, ffw}};
    return config;
  }
  static Batch batch(std::uint64_t number) {
    static std::mutex mutex;  // of LibTorch's one generator
    const std::lock_guard lock(mutex);
    const auto draw = [&](std::uint64_t seed) {
      const auto ids = some_ids(3, 12, 50, seed).flatten();
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

  std::int64_t micro_batches_;
  Communicator& communicator_;
  std::shared_ptr<LanguageModel> model_;
  std::unique_ptr<TrainingStep> step_;
};

}  // namespace peerless::test
