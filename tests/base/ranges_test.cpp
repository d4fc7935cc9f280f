#include "peerless/base/ranges.h"

#include <gtest/gtest.h>

namespace peerless {
namespace {

TEST(Ranges, HaveNeighboursTogether) {
  EXPECT_EQ(ranges({}), "");
  EXPECT_EQ(ranges({7}), "7");
  EXPECT_EQ(ranges({0, 1, 2, 5, 8, 9}), "0-2, 5, 8-9");
}

}  // namespace
}  // namespace peerless
