#include "peerless/data/order.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <map>
#include <set>

#include "tests/data/shards.h"

namespace peerless {
namespace {

constexpr std::uint64_t kBlock = SampleOrder::kBlock;

TEST(SampleOrder, OneSourceGivesEverySampleOncePerEpochForEverySize) {
  for (std::uint64_t size = 1; size <= 5000; size += 1 + size / 40) {
    const SampleOrder order({{size, 1.0}}, 3);
    std::map<std::uint64_t, std::vector<int>> seen;
    const auto blocks = (2 * size + kBlock - 1) / kBlock;
    for (std::uint64_t position = 0; position < blocks * kBlock; ++position) {
      const auto id = order(position);
      seen[id.epoch].resize(size);
      ASSERT_LT(id.sample, size);
      ++seen[id.epoch][id.sample];
    }
    for (std::uint64_t epoch = 0; epoch < blocks * kBlock / size; ++epoch) {
      ASSERT_EQ(seen[epoch], std::vector<int>(size, 1)) << "size " << size << ", epoch " << epoch;
    }
  }
}

TEST(SampleOrder, OneSourceEndsAnEpochBeforeTheNextBegins) {
  const SampleOrder order({{100, 1.0}}, 3);
  for (std::uint64_t position = 0; position < 2 * kBlock; ++position) EXPECT_EQ(order(position).epoch, position / 100);
}

TEST(SampleOrder, EachEpochHasAnOrderOfItsOwn) {
  const SampleOrder order({{kBlock, 1.0}}, 3);
  std::vector<std::uint64_t> first, second;
  for (std::uint64_t i = 0; i < kBlock; ++i) {
    first.push_back(order(i).sample);
    second.push_back(order(kBlock + i).sample);
  }
  EXPECT_NE(first, second);
  EXPECT_FALSE(std::is_sorted(first.begin(), first.end()));
}

// The rule as it is defined, block after block: exact shares, the largest remainders up, the rest carried.
TEST(SampleOrder, QuotasAreTheLargestRemaindersCarried) {
  const std::vector<double> weights = {3, 1, 1, 0.5, 0.01};
  const SampleOrder order({{10, weights[0]}, {20, weights[1]}, {30, weights[2]}, {5, weights[3]}, {7, weights[4]}}, 1);
  double sum = 0;
  for (const double weight : weights) sum += weight;
  auto before = order.taken_before(0);
  EXPECT_EQ(before, std::vector<std::uint64_t>(5, 0));
  for (std::uint64_t block = 1; block < 3000; ++block) {
    const auto after = order.taken_before(block);
    std::uint64_t taken = 0;
    for (std::size_t i = 0; i < after.size(); ++i) {
      const double exact = weights[i] / sum * static_cast<double>(block * kBlock);
      EXPECT_LT(std::abs(static_cast<double>(after[i]) - exact), 1.01) << "block " << block << ", source " << i;
      EXPECT_GE(after[i], before[i]);
      taken += after[i];
    }
    EXPECT_EQ(taken, block * kBlock);
    before = after;
  }
}

// The definition in whole numbers, at length: shares of 2^28 are given, remainders are sorted, ties go to the first.
std::vector<std::uint64_t> taken_by_definition(const std::vector<std::uint64_t>& shares, std::uint64_t block) {
  std::vector<std::uint64_t> taken, remainders;
  std::uint64_t missing = block * kBlock;
  for (const auto share : shares) {
    taken.push_back(block * kBlock * share >> 28);
    remainders.push_back(block * kBlock * share & ((1 << 28) - 1));
    missing -= taken.back();
  }
  for (; missing > 0; --missing) {
    std::size_t largest = 0;
    for (std::size_t i = 1; i < remainders.size(); ++i) {
      if (remainders[i] > remainders[largest]) largest = i;
    }
    ++taken[largest];
    remainders[largest] = 0;
  }
  return taken;
}

TEST(SampleOrder, QuotasAreThoseOfTheDefinition) {
  const RandomStream random(11, 0);
  for (std::uint64_t mixture = 0; mixture < 200; ++mixture) {
    std::vector<std::uint64_t> shares;
    std::uint64_t rest = 1 << 28;
    for (std::uint64_t i = 0; i < mixture % 6; ++i) {
      const auto coarse = mixture % 2 == 0 ? 20 : 0;  // then many remainders are equal
      shares.push_back((((1 << 16) + random.below(rest / 4, 100 * mixture + i)) >> coarse << coarse) + (1 << 20));
      rest -= shares.back();
    }
    shares.push_back(rest);
    std::vector<SampleOrder::Source> sources;
    for (const auto share : shares) sources.push_back({10, static_cast<double>(share)});
    const SampleOrder order(sources, 1);
    for (const std::uint64_t block : {0, 1, 2, 3, 5, 100, 4095, 65535, 65536, 1'000'003}) {
      ASSERT_EQ(order.taken_before(block), taken_by_definition(shares, block)) << mixture << ", block " << block;
    }
  }
}

TEST(SampleOrder, TheSmallestAllowedWeightComesOnceInEveryBlock) {
  const SampleOrder order({{1000, 4095}, {10, 1}}, 1);
  for (std::uint64_t block = 0; block < 20; ++block) {
    int seen = 0;
    for (std::uint64_t i = 0; i < kBlock; ++i) seen += order(block * kBlock + i).source == 1;
    EXPECT_EQ(seen, 1) << block;
  }
}

TEST(SampleOrder, MixturesGiveEachSourceItsShareAndEachSampleOncePerEpoch) {
  const std::vector<std::uint64_t> sizes = {700, 3000, 40, 1};
  const SampleOrder order({{sizes[0], 0.5}, {sizes[1], 0.3}, {sizes[2], 0.15}, {sizes[3], 0.05}}, 9);
  std::vector<std::map<std::uint64_t, std::vector<int>>> seen(4);
  std::vector<std::uint64_t> counts(4);
  constexpr std::uint64_t kBlocks = 10;
  for (std::uint64_t position = 0; position < kBlocks * kBlock; ++position) {
    const auto id = order(position);
    ++counts[id.source];
    auto& epoch = seen[id.source][id.epoch];
    epoch.resize(sizes[id.source]);
    ++epoch[id.sample];
  }
  EXPECT_EQ(counts, order.taken_before(kBlocks));
  EXPECT_EQ(counts[0], kBlocks * kBlock / 2);
  for (std::size_t source = 0; source < 4; ++source) {
    for (std::uint64_t epoch = 0; epoch < counts[source] / sizes[source]; ++epoch) {
      EXPECT_EQ(seen[source][epoch], std::vector<int>(sizes[source], 1)) << source << " " << epoch;
    }
  }
}

TEST(SampleOrder, SourcesAreSpreadOverABlock) {
  const SampleOrder order({{1000, 1}, {1000, 3}}, 2);
  int first_half = 0;
  for (std::uint64_t i = 0; i < kBlock / 2; ++i) first_half += order(i).source == 0;
  EXPECT_NEAR(first_half, 512, 100);
}

TEST(SampleOrder, DependsOnTheSeed) {
  const SampleOrder one({{5000, 1}}, 1), same({{5000, 7}}, 1), other({{5000, 1}}, 2);
  int equal = 0;
  for (std::uint64_t i = 0; i < 100; ++i) {
    EXPECT_EQ(one(i), same(i)) << "only ratios of weights matter";
    equal += one(i) == other(i);
  }
  EXPECT_LT(equal, 5);
}

// A change here changes what a resumed run sees.
TEST(SampleOrder, ItsValuesMustNeverChange) {
  const SampleOrder order({{1000, 2}, {300, 1}}, 5);
  EXPECT_EQ(order(0), (SampleId{0, 929, 1}));
  EXPECT_EQ(order(123456), (SampleId{0, 948, 82}));
}

TEST(SampleOrder, AWeightTooSmallForABlockIsRefused) {
  EXPECT_EQ(complaint(ExitCode::config,
                      [] {
                        SampleOrder({{10, 1}, {10, 0.0001}}, 1);
                      }),
            "data.train: source 1 has 9.999000099990002e-05 of all weight; each needs at least 1/4096, so that every "
            "4,096 samples hold one of it");
}

TEST(BatchShare, EveryDealOfAStepCoversTheSamePositions) {
  constexpr std::uint64_t kStep = 7;
  for (const std::int64_t world : {1, 2, 3, 4, 6, 12}) {
    std::vector<std::uint64_t> positions;
    for (std::int64_t rank = 0; rank < world; ++rank) {
      const BatchShare share{.global_batch = 24, .micro_batch = 2, .rank = rank, .world = world};
      share.check();
      for (std::int64_t j = 0; j < share.micro_batches(); ++j) {
        for (std::uint64_t i = 0; i < 2; ++i) positions.push_back(share.first_position(kStep * 24, j) + i);
      }
    }
    ASSERT_EQ(positions.size(), 24u);
    for (std::uint64_t i = 0; i < 24; ++i) EXPECT_EQ(positions[i], kStep * 24 + i) << "world " << world;
  }
}

TEST(BatchShare, RefusesWhatDoesNotDivide) {
  EXPECT_EQ(complaint(ExitCode::config, [] { BatchShare{.global_batch = 10, .micro_batch = 4}.check(); }),
            "train.micro_batch_size (4) must divide train.global_batch_size (10)");
  EXPECT_EQ(complaint(ExitCode::config, [] { BatchShare{.global_batch = 8, .micro_batch = 2, .world = 3}.check(); }),
            "the number of processes (3) must divide the micro-batches of a step: train.global_batch_size / "
            "train.micro_batch_size = 8 / 2 = 4");
}

}  // namespace
}  // namespace peerless
