#include "peerless/checkpoint/average.h"

#include <gtest/gtest.h>

#include <array>
#include <bit>
#include <cmath>
#include <limits>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/diff.h"
#include "tests/support/complaint.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using test::complaint;
using test::Complaint;

constexpr float kInfinity = std::numeric_limits<float>::infinity();

// A model with a tensor of each kind that matters, and what a run has beside it.
struct Trained {
  std::array<float, 6> weight{};        // [2, 3]
  std::array<std::uint16_t, 2> half{};  // bf16
  std::array<double, 2> mean{};         // running statistics
  std::int64_t commits = 0;             // how many they are of
  std::array<float, 6> moment{};
  std::int64_t step = 0;

  State model() {
    State state;
    state.add("model.weight", DType::f32, {2, 3}, std::as_writable_bytes(std::span(weight)));
    state.add("model.half", DType::bf16, {2}, std::as_writable_bytes(std::span(half)));
    state.add("model.running_mean", DType::f64, {2}, std::as_writable_bytes(std::span(mean)));
    state.add("model.num_commits", commits);
    return state;
  }
  State state() {
    State state;
    state.add("train.step", step);
    state.add(model());
    state.add("optim.weight.m", DType::f32, {2, 3}, std::as_writable_bytes(std::span(moment)));
    return state;
  }
  CheckpointInfo info() const {
    return {.step = step, .run = "r1", .program = "0.1.0", .config = config, .tokenizer = {1, 2}, .data = {3, 4}};
  }

  std::string config = "model: {layers: 1}\ntrain: {max_steps: 40}\n";
  bool operator==(const Trained&) const = default;
};

class AverageTest : public testing::Test {
 protected:
  Checkpoint saved(const State& state, const CheckpointInfo& info) {
    CheckpointFolder folder(files, concat("/in", ++count));
    folder.save(state, info);
    return folder.open(info.step);
  }
  Checkpoint saved(Trained run) { return saved(run.state(), run.info()); }

  template <class... Checkpoints>
  Checkpoint averaged(Checkpoints... checkpoints) {
    std::vector<Checkpoint> all;
    (all.push_back(std::move(checkpoints)), ...);
    const auto folder = std::filesystem::path(concat("/out", ++count));
    average(files, all, folder);
    return find_checkpoint(files, folder);
  }

  // The model in the mean of these runs; what is beside it: as in an empty run.
  template <class... Runs>
  Trained mean_of(const Runs&... runs) {
    Trained mean;
    averaged(saved(runs)...).load(mean.model());  // it holds no more
    return mean;
  }

  MemoryFiles files;
  int count = 0;
};

const Trained kOne{
    .weight = {1, 2, 3, 4, 5, 6}, .half = {0x3f80, 0x4000}, .mean = {1, 1e300}, .commits = 3, .step = 40};
const Trained kOther{
    .weight = {3, -2, 3.5, 4, 1e-30f, 7}, .half = {0x4040, 0x4000}, .mean = {2, 0}, .commits = 5, .step = 30};

TEST_F(AverageTest, IsTheMeanOfEveryElement) {
  const Trained mean = mean_of(kOne, kOther);
  EXPECT_EQ(mean.weight, (std::array<float, 6>{2, 0, 3.25, 4, 2.5, 6.5}));
  EXPECT_EQ(mean.half, (std::array<std::uint16_t, 2>{0x4000, 0x4000}));
  EXPECT_EQ(mean.mean, (std::array<double, 2>{1.5, 5e299}));
}

TEST_F(AverageTest, IsOfAsManyAsAreGiven) {
  const Trained mean =
      mean_of(Trained{.weight = {1, 1, 3}}, Trained{.weight = {2, 1, 3}}, Trained{.weight = {6, 2, 0}});
  EXPECT_EQ(mean.weight, (std::array<float, 6>{3, static_cast<float>(4.0 / 3), 2}));
}

// In fp32 the small one would be lost.
TEST_F(AverageTest, SumsAreInDoublePrecision) {
  const Trained mean = mean_of(Trained{.weight = {1e8f}}, Trained{.weight = {1}}, Trained{.weight = {-1e8f}});
  EXPECT_EQ(mean.weight[0], static_cast<float>(1.0 / 3));
}

TEST_F(AverageTest, TheFirstGivesAllElse) {
  EXPECT_EQ(mean_of(kOne, kOther).commits, 3);
  const auto mean = averaged(saved(kOne), saved(kOther));
  EXPECT_EQ(mean.info(), kOne.info());
  EXPECT_EQ(mean.path().filename(), step_name(40));
}

TEST_F(AverageTest, OfTheSameIsTheSameBitForBit) {
  Trained run = kOne;
  run.weight = {-0.0f, kInfinity, std::bit_cast<float>(0x7fc01234u), 1e-45f, 0.1f, std::numeric_limits<float>::max()};
  run.half = {0x8000, 0x7f7f};
  run.mean = {0.1, std::numeric_limits<double>::max()};
  const auto only_model = saved(run.model(), run.info());
  EXPECT_EQ(diff(averaged(saved(run), saved(run), saved(run)), only_model, {}), std::vector<std::string>{});
}

TEST_F(AverageTest, InfinityStays) {
  const Trained mean = mean_of(Trained{.weight = {kInfinity, kInfinity, 1}}, Trained{.weight = {1, -kInfinity, 1}});
  EXPECT_EQ(mean.weight[0], kInfinity);
  EXPECT_TRUE(std::isnan(mean.weight[1]));
}

// Names, not places, say which tensors belong together.
TEST_F(AverageTest, TensorsMayLieInAnotherOrder) {
  Trained run = kOther;
  State turned;
  const auto original = run.model();
  for (auto entry = original.entries().rbegin(); entry != original.entries().rend(); ++entry) turned.add(*entry);
  EXPECT_EQ(diff(averaged(saved(kOne), saved(turned, run.info())), averaged(saved(kOne), saved(run)), {}),
            std::vector<std::string>{});
}

TEST_F(AverageTest, LargeTensorsAreAveragedInPieces) {
  constexpr std::int64_t kRows = 1500, kWidth = 1000;
  std::vector<float> a(kRows * kWidth), b(a.size()), mean(a.size());
  for (std::size_t i = 0; i < a.size(); ++i) a[i] = static_cast<float>(i), b[i] = static_cast<float>(i) + 4;
  const auto holding = [&](auto& values) {
    State state;
    state.add("model.table", DType::f32, {kRows, kWidth}, std::as_writable_bytes(std::span(values)));
    return state;
  };
  averaged(saved(holding(a), kOne.info()), saved(holding(b), kOne.info())).load(holding(mean));
  for (std::size_t i = 0; i < a.size(); ++i) ASSERT_EQ(mean[i], a[i] + 2) << i;
}

// ---- what has no mean

TEST_F(AverageTest, OneIsTooFew) {
  const auto only = [&] { averaged(saved(kOne)); };
  EXPECT_EQ(complaint(only), (Complaint{ExitCode::usage, "a mean is of two checkpoints or more, got 1"}));
}

class AverageOfOthersTest : public AverageTest {
 protected:
  std::string complaint_about(const State& state, const CheckpointInfo& info) {
    auto first = saved(kOne);
    auto second = saved(state, info);
    const auto head = concat(first.path().string(), " and ", second.path().string(), ": ");
    const std::string tail = "; only checkpoints of one model have a mean";
    const auto text = complaint(ExitCode::config, [&] { averaged(std::move(first), std::move(second)); });
    EXPECT_TRUE(text.starts_with(head) && text.ends_with(tail)) << text;
    EXPECT_FALSE(exists(files, concat("/out", count)));
    return text.substr(head.size(), text.size() - head.size() - tail.size());
  }

  Trained run = kOther;
};

TEST_F(AverageOfOthersTest, TheirTensorsAreNamed) {
  EXPECT_EQ(complaint_about(State(), run.info()), "tensor model.weight: only in the first");
  State more = run.state();
  std::int64_t value = 0;
  more.add("model.more", value);
  EXPECT_EQ(complaint_about(more, run.info()), "tensor model.more: only in the second");
  State turned;
  turned.add("model.weight", DType::f32, {3, 2}, std::as_writable_bytes(std::span(run.weight)));
  EXPECT_EQ(complaint_about(turned, run.info()), "tensor model.weight: F32 [2, 3] and F32 [3, 2]");
  State whole;
  whole.add("model.weight", DType::i32, {2, 3}, std::as_writable_bytes(std::span(run.weight)));
  EXPECT_EQ(complaint_about(whole, run.info()), "tensor model.weight: F32 [2, 3] and I32 [2, 3]");
}

// Equal shapes do not make one model.
TEST_F(AverageOfOthersTest, TheirTokenizersAndConfigsAreNamed) {
  auto info = run.info();
  info.tokenizer = {1, 3};
  EXPECT_EQ(complaint_about(run.state(), info), concat("tokenizer: ", Digest{1, 2}.hex(), " and ", Digest{1, 3}.hex()));
  run.config = "model: {layers: 1, heads: 4}\ntrain: {max_steps: 50}\n";
  EXPECT_EQ(complaint_about(run.state(), run.info()), "config.model.heads: not set and 4");
}

TEST_F(AverageTest, WhatIsNoPartOfTheModelMayDiffer) {
  Trained run = kOther;
  run.config = "model: {layers: 1}\ntrain: {max_steps: 50}\n";
  State state = run.model();
  std::int64_t counter = 0;
  state.add("optim.other", counter);
  EXPECT_EQ(complaint(ExitCode::ok, [&] { averaged(saved(kOne), saved(state, run.info())); }), "");
}

TEST_F(AverageTest, WithoutWeightsThereIsNone) {
  State state;
  std::int64_t counter = 0;
  state.add("train.step", counter);
  const auto none = [&] { averaged(saved(state, kOne.info()), saved(kOne)); };
  EXPECT_EQ(complaint(none), (Complaint{ExitCode::config, "/in2/step-000000000040: holds no weights (model.*)"}));
}

TEST_F(AverageTest, AFolderThatHoldsSomethingIsRefused) {
  std::vector<Checkpoint> two;
  for (const auto& run : {kOne, kOther}) two.push_back(saved(run));
  EXPECT_EQ(complaint([&] { average(files, two, "/in1"); }),
            (Complaint{ExitCode::output, "/in1: is not empty; name a new folder"}));
}

TEST_F(AverageTest, DamageIsFoundOnTheWayAndNothingIsLeft) {
  std::vector<Checkpoint> two;
  for (const auto& run : {kOne, kOther}) two.push_back(saved(run));
  files.content(two[1].path() / "state-00000-of-00001.safetensors").back() ^= 1;
  EXPECT_EQ(complaint([&] { average(files, two, "/out"); }).code, ExitCode::data);
  EXPECT_EQ(files.list("/out"), std::vector<std::string>{});
}

}  // namespace
}  // namespace peerless
