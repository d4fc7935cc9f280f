#include "peerless/config/field.h"

#include <gtest/gtest.h>

#include <limits>
#include <vector>

namespace peerless {
namespace {

TEST(Rules, SayWhatTheyWantAfterMustBe) {
  EXPECT_EQ(AtLeast{1}.text(), ">= 1");
  EXPECT_EQ(Above{0}.text(), "> 0");
  EXPECT_EQ(AtMost{1e6}.text(), "<= 1000000");
  EXPECT_EQ(Below{0.5}.text(), "< 0.5");
  EXPECT_EQ((Between{-1, 1}).text(), "in [-1, 1]");
  EXPECT_EQ(MultipleOf{64}.text(), "a multiple of 64");
  EXPECT_EQ(NotEmpty{}.text(), "non-empty");
  EXPECT_EQ((AtLeast{0} && Below{1}).text(), ">= 0 and < 1");
  EXPECT_EQ(Any{}.text(), "");
}

TEST(Rules, HoldUpToTheirBounds) {
  EXPECT_TRUE(AtLeast{1}(1) && !AtLeast{1}(0.999));
  EXPECT_TRUE(Above{0}(1e-300) && !Above{0}(0));
  EXPECT_TRUE(AtMost{1}(1) && !AtMost{1}(1.001));
  EXPECT_TRUE(Below{1}(0.999) && !Below{1}(1));
  EXPECT_TRUE((Between{0, 1}(0)) && (Between{0, 1}(1)) && !(Between{0, 1}(-1e-300)) && !(Between{0, 1}(1.1)));
  EXPECT_TRUE(MultipleOf{64}(0) && MultipleOf{64}(128) && !MultipleOf{64}(65));
  EXPECT_TRUE(NotEmpty{}(std::string("a")) && !NotEmpty{}(std::string()) && !NotEmpty{}(std::vector<int>()));
}

TEST(Rules, JoinedOnesHoldBoth) {
  const auto share = AtLeast{0} && Below{1};
  EXPECT_TRUE(share(0) && share(0.5) && !share(1) && !share(-0.1));
  ASSERT_EQ(share.bounds().size(), 2u);
  EXPECT_EQ(share.bounds()[0].keyword, "minimum");
  EXPECT_EQ(share.bounds()[1].keyword, "exclusiveMaximum");
  const auto width = MultipleOf{8} && AtLeast{8} && AtMost{64};
  EXPECT_TRUE(width(8) && width(64) && !width(0) && !width(12) && !width(72));
}

TEST(Rules, NoNumberIsOutsideOfEveryRange) {
  const double nan = std::numeric_limits<double>::quiet_NaN();
  EXPECT_FALSE(AtLeast{0}(nan) || Above{0}(nan) || AtMost{0}(nan) || Below{0}(nan) || (Between{0, 1}(nan)));
}

TEST(RuleNumber, WritesIntegersInFull) {
  EXPECT_EQ(rule::number(1e6), "1000000");
  EXPECT_EQ(rule::number(-3), "-3");
  EXPECT_EQ(rule::number(0.1), "0.1");
  EXPECT_EQ(rule::number(1e-8), "1e-08");
  EXPECT_EQ(rule::number(1e300), "1e+300");
}

}  // namespace
}  // namespace peerless
