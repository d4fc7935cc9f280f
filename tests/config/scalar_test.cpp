#include "peerless/config/scalar.h"

#include <gtest/gtest.h>

#include <limits>

namespace peerless {
namespace {

TEST(ExactDecimal, ScalesWithoutRounding) {
  EXPECT_EQ(exact_decimal("2e9", 0), 2'000'000'000);
  EXPECT_EQ(exact_decimal("2.5", 1), 25);
  EXPECT_EQ(exact_decimal("2.500", 1), 25);
  EXPECT_EQ(exact_decimal("1.5E+3", 0), 1500);
  EXPECT_EQ(exact_decimal("1500e-2", 0), 15);
  EXPECT_EQ(exact_decimal("0.1", 6), 100'000);
  EXPECT_EQ(exact_decimal("0e999", 0), 0);
  EXPECT_EQ(exact_decimal("9223372036854775807", 0), std::numeric_limits<std::int64_t>::max());
}

TEST(ExactDecimal, RefusesWhatIsNoIntegerOf64Bits) {
  for (const char* text : {"2.5", "1e-1", "9223372036854775808", "1e19", "1e999999", "1e-999999"}) {
    EXPECT_FALSE(exact_decimal(text, 0)) << text;
  }
}

TEST(ExactDecimal, RefusesWhatIsNoDecimal) {
  for (const char* text :
       {"", ".", ".5", "1.", "e3", "1e", "1e+", "1e+-3", "+1", "-1", "1 ", " 1", "0x1", "1_000", "1,5", "inf"}) {
    EXPECT_FALSE(exact_decimal(text, 3)) << text;
  }
}

}  // namespace
}  // namespace peerless
