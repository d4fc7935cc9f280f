#include "src/ops/group_by_row.h"

#include <gtest/gtest.h>

#include <cstdint>
#include <map>
#include <random>
#include <vector>

namespace peerless {
namespace {

using Rows = std::vector<std::int32_t>;

TEST(GroupByRow, PairsOfARowStayInOrder) {
  const PairsByRow groups = group_by_row(Rows{7, 2, 7, 0, 2, 7}, 8);
  EXPECT_EQ(groups.rows, (Rows{0, 2, 7}));
  EXPECT_EQ(groups.starts, (std::vector<std::int64_t>{0, 1, 3, 6}));
  EXPECT_EQ(groups.order, (Rows{3, 1, 4, 0, 2, 5}));
}

// One digit of the sort, two, four; and the table of a single row, which needs none.
TEST(GroupByRow, EqualsAnOrderedMapForTablesOfAnySize) {
  std::mt19937 random(1);
  for (const std::int64_t num_rows : {1LL, 2LL, 1024LL, 1025LL, 1LL << 20, (1LL << 31) - 1}) {
    Rows asked(5000);
    for (auto& row : asked) row = static_cast<std::int32_t>(random() % num_rows);
    asked.back() = static_cast<std::int32_t>(num_rows - 1);
    std::map<std::int32_t, Rows> expected;
    for (std::size_t i = 0; i < asked.size(); ++i) expected[asked[i]].push_back(static_cast<std::int32_t>(i));

    const PairsByRow groups = group_by_row(asked, num_rows);
    ASSERT_EQ(groups.rows.size(), expected.size()) << num_rows;
    std::size_t r = 0;
    for (const auto& [row, pairs] : expected) {
      EXPECT_EQ(groups.rows[r], row);
      EXPECT_EQ(Rows(groups.order.begin() + groups.starts[r], groups.order.begin() + groups.starts[r + 1]), pairs);
      ++r;
    }
  }
}

TEST(GroupByRow, NoPairsAreNoGroups) {
  const PairsByRow groups = group_by_row(Rows{}, 8);
  EXPECT_TRUE(groups.rows.empty());
  EXPECT_EQ(groups.starts, (std::vector<std::int64_t>{0}));
}

}  // namespace
}  // namespace peerless
