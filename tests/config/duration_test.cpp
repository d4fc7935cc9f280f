#include "peerless/config/duration.h"

#include <gtest/gtest.h>

namespace peerless {
namespace {

constexpr std::int64_t kTotal = 200;
constexpr std::int64_t kTokensPerStep = 8192;

std::int64_t steps(std::string_view text, std::int64_t total = kTotal) {
  return Duration::parse(text).value().steps(total, kTokensPerStep);
}

TEST(Duration, IsStepsTokensOrAShareOfTheRun) {
  EXPECT_EQ(steps("100"), 100);
  EXPECT_EQ(steps("8192tok"), 1);
  EXPECT_EQ(steps("2e9tok"), 244141);  // 244140.6
  EXPECT_EQ(steps("2%"), 4);
  EXPECT_EQ(steps("100%"), kTotal);
  EXPECT_EQ(steps("0.5%"), 1);
}

TEST(Duration, RoundsUpSoThatOnlyZeroMeansNever) {
  EXPECT_EQ(steps("8193tok"), 2);
  EXPECT_EQ(steps("1tok"), 1);
  EXPECT_EQ(steps("0.000001%"), 1);
  EXPECT_EQ(steps("1%", 101), 2);
  for (const char* never : {"0", "0tok", "0%", "0.0%"}) EXPECT_EQ(steps(never), 0) << never;
  EXPECT_EQ(Duration().steps(kTotal, kTokensPerStep), 0);
}

TEST(Duration, ShareIsExactWhereFloatingPointIsNot) {
  EXPECT_EQ(steps("7%", 100), 7);  // 0.07 * 100 > 7 in double precision
  for (std::int64_t percent = 0; percent <= 100; ++percent) {
    for (const std::int64_t hundreds : {1, 3, 7, 1'000'003}) {
      EXPECT_EQ(Duration::of_percent(percent).steps(100 * hundreds, 1), percent * hundreds);
    }
  }
  EXPECT_EQ(steps("99.999999%", 1'000'000'000'000'000), 999'999'990'000'000);
}

TEST(Duration, RefusesOtherTexts) {
  for (const char* text : {"",
                           "-1",
                           "1.5",
                           "1e3",
                           "tok",
                           "%",
                           "1.5tok",
                           "-2%",
                           "100.1%",
                           "101%",
                           "1e-9%",
                           "2 %",
                           " 2",
                           "2e30tok",
                           "1.tok",
                           ".5%",
                           "99999999999999999999",
                           "nan%",
                           "3 steps",
                           "0x10",
                           "1e+tok",
                           "1e99999999999tok"}) {
    EXPECT_FALSE(Duration::parse(text)) << text;
  }
}

TEST(Duration, TextReadsBackAsTheSame) {
  for (const char* text : {"0", "100", "0tok", "2000000000tok", "2%", "0.5%", "12.345678%", "100%", "0.000001%"}) {
    EXPECT_EQ(Duration::parse(text).value().text(), text);
  }
  EXPECT_EQ(Duration::parse("2e9tok"), Duration::of_tokens(2'000'000'000));
  EXPECT_EQ(Duration::parse("2.50%").value().text(), "2.5%");
}

TEST(Duration, KeepsItsUnit) { EXPECT_NE(Duration::of_steps(0), Duration::of_tokens(0)); }

}  // namespace
}  // namespace peerless
