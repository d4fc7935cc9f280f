// The training of a small model, without files.
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
  std::int64_t experts = 1, tables = 1;    // so many processes hold them together
  at::Tensor vocabulary = at::arange(50);  // of its inputs
};

// Batches are drawn from their numbers alone.
class SmallRun {
 public:
  // Its second layer has the block.
  SmallRun(const FfwConfig& ffw, std::uint64_t seed, const SmallRunOptions& options = {},
           Communicator& communicator = alone())
      : SmallRun(model_with(ffw), seed, options, communicator) {}
  SmallRun(const ModelConfig& model, std::uint64_t seed, const SmallRunOptions& options = {},
           Communicator& communicator = alone())
      : micro_batches_(options.micro_batches),
        vocabulary_(options.vocabulary),
        communicator_(communicator),
        experts_(channel_of_group(communicator, options.experts)),
        tables_(channel_of_group(communicator, options.tables)),
        model_(make_model(model, 50, 12, at::kFloat, options.device, {experts_.get(), tables_.get()})) {
    ParameterSet(*model_).initialize(seed);
    model_->decoder->recompute_layers(options.recomputed);
    step_ = std::make_unique<TrainingStep>(*model_, options.optim, communicator, options.division);
  }

  // Steps [first, last); what the last one says.
  StepReport train(std::int64_t first, std::int64_t last) {
    const auto here = micro_batches_ / communicator_.world_size();
    const StepPlan plan{
        .micro_batches_here = here, .micro_batches = micro_batches_, .targets = micro_batches_ * kTokens, .lr = 0.01};
    StepReport report;
    for (std::int64_t i = first; i < last; ++i) {
      auto number = static_cast<std::uint64_t>(i * micro_batches_ + communicator_.rank() * here);
      report = step_->run(plan, [&] { return batch(++number); });
      EXPECT_FALSE(report.skipped);
    }
    return report;
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
      EXPECT_TRUE(same_bits(mine[i].tensor, part_of(theirs[i].tensor, mine[i]))) << mine[i].name;
    }
  }
  // The first moments, which after one step are a tenth of its gradients, to rounding.
  void expect_near_gradients(const SmallRun& other) const {
    const auto mine = state(), theirs = other.state();
    ASSERT_EQ(mine.size(), theirs.size());
    for (std::size_t i = 0; i < mine.size(); ++i) {
      if (!mine[i].name.starts_with("optim.first.")) continue;
      const auto there = part_of(theirs[i].tensor, mine[i]);
      EXPECT_TRUE(near(mine[i].tensor.cpu(), there)) << mine[i].name;
      EXPECT_GT(theirs[i].tensor.abs().max().item<float>(), 0) << mine[i].name;
    }
  }

 private:
  static constexpr std::int64_t kTokens = 3 * 12;

  static at::Tensor part_of(at::Tensor whole, const NamedTensor& part) {
    if (part.slice)
      for (std::int64_t dim = 0; dim < whole.dim(); ++dim)
        whole = whole.narrow(dim, part.slice->offset[static_cast<std::size_t>(dim)], part.tensor.size(dim));
    return whole;
  }
  static ModelConfig model_with(const FfwConfig& ffw) {
    ModelConfig config = small_model();
    config.layers = {{LayerSet{LayerRange{1, 1}}, ffw}};
    return config;
  }
  Batch batch(std::uint64_t number) const {
    static std::mutex mutex;  // of LibTorch's one generator
    const std::lock_guard lock(mutex);
    const auto draw = [](const at::Tensor& from, std::uint64_t seed) {
      const auto ids = from.index_select(0, some_ids(3, 12, from.numel(), seed).flatten());
      return std::vector<std::int64_t>(ids.const_data_ptr<std::int64_t>(),
                                       ids.const_data_ptr<std::int64_t>() + kTokens);
    };
    return {.batch = 3,
            .seq_len = 12,
            .inputs = draw(vocabulary_, 2 * number),
            .targets = draw(at::arange(50), 2 * number + 1),
            .mask = std::vector<std::uint8_t>(kTokens, 1),
            .unmasked = kTokens};
  }

  std::int64_t micro_batches_;
  at::Tensor vocabulary_;
  Communicator& communicator_;
  std::unique_ptr<Communicator> experts_, tables_;
  std::shared_ptr<LanguageModel> model_;
  std::unique_ptr<TrainingStep> step_;
};

}  // namespace peerless::test
