#include "peerless/dist/row_reduction.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <numeric>

#include "tests/support/local_group.h"

namespace peerless {
namespace {

constexpr std::int64_t kWidth = 5;
constexpr std::int64_t kBytesUnderWay =
    2 * 7 * kWidth * 4;  // 7 rows between two processes: pieces, of which the last are not full

// What process `rank` touches: row r where r * 7 + 3 * rank is a multiple of `every`.
void touch(RowGrad& rows, std::int64_t num_rows, std::int64_t rank, std::int64_t every) {
  std::vector<std::int32_t> ids;
  for (std::int64_t r = num_rows - 1; r >= 0; --r)
    if ((r * 7 + 3 * rank) % every == 0) ids.push_back(static_cast<std::int32_t>(r));
  const auto id = at::tensor(ids, at::kInt);
  rows.add(id, id.unsqueeze(1).to(at::kFloat) * 0.1 + at::arange(kWidth) + rank);
}

class RowReductionTest : public testing::TestWithParam<std::tuple<std::int64_t, std::int64_t, std::int64_t>> {};

TEST_P(RowReductionTest, AddsUpWhatEachProcessTouched) {
  const auto [processes, num_rows, every] = GetParam();
  auto expected = at::zeros({num_rows, kWidth});
  for (std::int64_t rank = 0; rank < processes; ++rank) {
    RowGrad rows(num_rows, kWidth, at::kFloat);
    touch(rows, num_rows, rank, every);
    expected += rows.dense();
  }
  test::in_group(processes, [&, num_rows = num_rows, every = every](Communicator& communicator) {
    const auto gradient = std::make_shared<RowGrad>(num_rows, kWidth, at::kFloat);
    RowGrad& rows = *gradient;
    RowReduction reduction(gradient, communicator, communicator, kBytesUnderWay);
    for (int step = 0; step < 2; ++step) {  // nothing of a step stays for the next
      rows.clear();
      touch(rows, num_rows, communicator.rank(), every);
      reduction.reduce();
      reduction.gather_owned();
      EXPECT_TRUE(at::allclose(rows.dense(), expected, 1e-6, 1e-6));
      EXPECT_EQ(rows.size(), (expected.abs().sum(1) > 0).sum().item<std::int64_t>());
      const auto sums = rows.sums_of_squares();
      const auto squares = expected.to(at::kDouble).square().sum().item<double>();
      EXPECT_NEAR(std::accumulate(sums.begin(), sums.end(), 0.0), squares, 1e-5 * squares);
    }
  });
}

// Of two shards one is touched in many rows, the other in none: all exchange equally often, or this does not end.
TEST(RowReduction, OfOneShardMayHaveMoreToSendThanAnother) {
  constexpr std::int64_t kNumRows = 200;
  test::in_group(4, [&](Communicator& all) {
    Subset copies(all, copies_of(all, 2));
    const auto gradient = std::make_shared<RowGrad>(kNumRows, kWidth, at::kFloat);
    RowReduction reduction(gradient, copies, all, kBytesUnderWay);
    auto expected = at::zeros({kNumRows, kWidth});
    if (all.rank() % 2 == 0) {
      touch(*gradient, kNumRows, all.rank(), 1);
      RowGrad other(kNumRows, kWidth, at::kFloat);
      touch(other, kNumRows, 2 - all.rank(), 1);
      expected = gradient->dense() + other.dense();
    }
    reduction.reduce();
    reduction.gather_owned();
    EXPECT_TRUE(at::allclose(gradient->dense(), expected));
  });
}

INSTANTIATE_TEST_SUITE_P(ProcessesRowsEvery, RowReductionTest,
                         testing::Combine(testing::Values(1, 2, 3, 4), testing::Values(1, 3, 64, 1000),
                                          testing::Values(1, 5, 1001)));

}  // namespace
}  // namespace peerless
