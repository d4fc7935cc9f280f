#include "peerless/optim/schedule.h"

#include <gtest/gtest.h>

#include <cmath>

namespace peerless {
namespace {

constexpr std::int64_t kTokens = 1000;  // per step

TEST(Schedule, RisesStaysAndFallsWithOneMinusSqrt) {
  const Schedule schedule(WsdConfig{.warmup = Duration::of_steps(4), .decay = Duration::of_percent(20)}, 100, kTokens);
  EXPECT_DOUBLE_EQ(schedule.factor(0), 0.25);
  EXPECT_DOUBLE_EQ(schedule.factor(3), 1);
  EXPECT_DOUBLE_EQ(schedule.factor(79), 1);
  EXPECT_DOUBLE_EQ(schedule.factor(80), 1);
  EXPECT_DOUBLE_EQ(schedule.factor(85), 1 - std::sqrt(0.25));
  EXPECT_DOUBLE_EQ(schedule.factor(99), 1 - std::sqrt(19.0 / 20));
}

TEST(Schedule, FallsInTheShapeAskedForToTheRatioAskedFor) {
  const auto at = [](DecayShape shape, std::int64_t step) {
    return Schedule(
               WsdConfig{.warmup = {}, .decay = Duration::of_steps(10), .decay_shape = shape, .final_lr_ratio = 0.5},
               10, kTokens)
        .factor(step);
  };
  EXPECT_DOUBLE_EQ(at(DecayShape::linear, 5), 0.75);
  EXPECT_DOUBLE_EQ(at(DecayShape::cosine, 5), 0.75);
  EXPECT_DOUBLE_EQ(at(DecayShape::one_minus_sqrt, 5), 0.5 + 0.5 * (1 - std::sqrt(0.5)));
}

TEST(Schedule, WithoutADecayItsShapeAndRatioAreRefused) {
  EXPECT_NO_THROW(WsdConfig{.decay = {}}.check());
  EXPECT_THROW((WsdConfig{.decay = {}, .decay_shape = DecayShape::cosine}.check()), Error);
  EXPECT_THROW((WsdConfig{.decay = Duration::of_steps(0), .final_lr_ratio = 0.1}.check()), Error);
}

TEST(Schedule, CosineAndLinearFallFromTheEndOfTheWarmup) {
  const Schedule cosine(CosineConfig{.warmup = Duration::of_steps(10), .final_lr_ratio = 0.1}, 110, kTokens);
  EXPECT_DOUBLE_EQ(cosine.factor(10), 1);
  EXPECT_DOUBLE_EQ(cosine.factor(60), 0.55);
  const Schedule linear(LinearConfig{.warmup = {}, .final_lr_ratio = 0}, 100, kTokens);
  EXPECT_DOUBLE_EQ(linear.factor(25), 0.75);
}

TEST(Schedule, ConstantStaysAndWarmsUpByTokens) {
  const Schedule schedule(ConstantConfig{.warmup = Duration::of_tokens(2500)}, 100,
                          kTokens);  // three steps, rounded up
  EXPECT_DOUBLE_EQ(schedule.factor(0), 1.0 / 3);
  EXPECT_DOUBLE_EQ(schedule.factor(2), 1);
  EXPECT_DOUBLE_EQ(schedule.factor(1000), 1);
}

}  // namespace
}  // namespace peerless
