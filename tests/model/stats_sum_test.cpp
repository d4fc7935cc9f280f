#include "peerless/model/stats_sum.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/local_group.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

Stats stats_of(std::int64_t micro_batch) {
  Stats stats;
  const double scale = std::pow(10., 3 * std::cos(static_cast<double>(5 * micro_batch + 1)));
  stats.set("loss", at::full({}, scale, at::kDouble));
  stats.set("2.load", at::full({2, 3}, micro_batch, at::kLong));
  stats.set("2.mean", at::full({4}, scale / 3, at::kDouble));
  return stats;
}

Stats sum_of(std::int64_t first, std::int64_t count, SumOrder order) {
  StatsSum sums(order);
  for (std::int64_t i = first; i < first + count; ++i) sums.add(stats_of(i));
  return sums.total();
}

TEST(StatsSum, ByTheTreeHasTheSameBitsOnAnyNumberOfProcesses) {
  constexpr std::int64_t kMicroBatches = 8;
  const auto alone = sum_of(0, kMicroBatches, SumOrder::tree);
  EXPECT_TRUE(at::equal(alone.at("2.load"), at::full({2, 3}, 28, at::kLong)));
  for (const std::int64_t processes : {2, 4}) {
    test::in_group(processes, [&](Communicator& communicator) {
      const auto here = kMicroBatches / processes;
      const auto total = sum(communicator, sum_of(communicator.rank() * here, here, SumOrder::tree));
      for (const auto& [name, tensor] : alone.named()) {
        EXPECT_TRUE(test::same_bits(total.at(name), tensor)) << name;
        EXPECT_EQ(total.at(name).sizes(), tensor.sizes());
      }
    });
  }
}

TEST(StatsSum, InSequenceTakesAnyNumber) {
  const auto total = sum_of(0, 3, SumOrder::sequence);
  EXPECT_TRUE(at::equal(total.at("2.load"), at::full({2, 3}, 3, at::kLong)));
  const double expected = (stats_of(0).at("loss") + stats_of(1).at("loss") + stats_of(2).at("loss")).item<double>();
  EXPECT_EQ(total.at("loss").item<double>(), expected);
}

TEST(StatsSum, WhatWasAddedStaysAsItWas) {
  const auto first = stats_of(1);
  StatsSum sums(SumOrder::tree);
  sums.add(first);
  sums.add(stats_of(2));
  EXPECT_TRUE(at::equal(first.at("2.load"), at::full({2, 3}, 1, at::kLong)));
}

}  // namespace
}  // namespace peerless
