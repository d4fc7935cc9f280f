#include "peerless/base/ranges.h"

#include <gtest/gtest.h>

namespace peerless {
namespace {

TEST(Ranges, HaveNeighboursTogether) {
  EXPECT_EQ(ranges({}), "");
  EXPECT_EQ(ranges({7}), "7");
  EXPECT_EQ(ranges({0, 1, 2, 5, 8, 9}), "0-2, 5, 8-9");
}

TEST(Ranges, RanksStandByWhatTheySay) {
  RanksByText said;
  for (const auto rank : {0, 1, 2, 3}) add_rank(said, rank % 3 == 0 ? "b" : "a", rank);
  EXPECT_EQ(said, (RanksByText{{"b", {0, 3}}, {"a", {1, 2}}}));
}

}  // namespace
}  // namespace peerless
