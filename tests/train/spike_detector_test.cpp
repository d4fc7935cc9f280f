#include "peerless/train/spike_detector.h"

#include <gtest/gtest.h>

#include <limits>

namespace peerless {
namespace {

constexpr double kThreshold = 6;

// 1, 2, ..., 128 in another order: median 65 (the upper one), deviations 0, 1, 1, ..., 63, 63, 64: median 32.
SpikeDetector full() {
  SpikeDetector detector;
  for (std::int64_t i = 0; i < SpikeDetector::kWindow; ++i)
    EXPECT_FALSE(detector.add(1 + static_cast<double>(i * 37 % SpikeDetector::kWindow), kThreshold));
  return detector;
}

TEST(SpikeDetector, LevelIsMedianPlusDeviations) { EXPECT_DOUBLE_EQ(full().level(2), 65 + 2 * 1.4826 * 32); }

TEST(SpikeDetector, OnlyWhatExceedsTheLevelIsASpike) {
  const double level = full().level(kThreshold);
  auto detector = full();
  EXPECT_FALSE(detector.add(level, kThreshold));
  detector = full();
  EXPECT_TRUE(detector.add(std::nextafter(level, 1e9), kThreshold));
  EXPECT_FALSE(full().add(-1e9, kThreshold));
}

TEST(SpikeDetector, NothingIsToldBeforeTheWindowIsFullNorWithoutAThreshold) {
  SpikeDetector detector;
  for (std::int64_t i = 1; i < SpikeDetector::kWindow; ++i) EXPECT_FALSE(detector.add(1, kThreshold));
  EXPECT_FALSE(detector.add(1e9, kThreshold));
  EXPECT_FALSE(full().add(1e9, 0));
}

TEST(SpikeDetector, CountsSpikesInARowAndGetsUsedToThem) {
  auto detector = full();
  for (int i = 1; i <= 20; ++i) {
    EXPECT_TRUE(detector.add(1e6, kThreshold));
    EXPECT_EQ(detector.in_a_row(), i);
  }
  EXPECT_FALSE(detector.add(60, kThreshold));
  EXPECT_EQ(detector.in_a_row(), 0);
  for (int i = 0; i < 60; ++i) detector.add(1e6, kThreshold);
  EXPECT_FALSE(detector.add(1e6, kThreshold)) << "the new level";
}

TEST(SpikeDetector, WhatIsNotFiniteLeavesNoTrace) {
  auto detector = full();
  const double level = detector.level(kThreshold);
  EXPECT_TRUE(detector.add(1e6, kThreshold));
  for (const double bad : {std::numeric_limits<double>::quiet_NaN(), std::numeric_limits<double>::infinity()})
    EXPECT_FALSE(detector.add(bad, kThreshold));
  EXPECT_EQ(detector.in_a_row(), 1);
  EXPECT_NEAR(detector.level(kThreshold), level, 10);
}

}  // namespace
}  // namespace peerless
