#include "peerless/base/error.h"

#include <gtest/gtest.h>

namespace peerless {
namespace {

TEST(Error, JoinsItsPartsAndKeepsItsCode) {
  const Error error(ExitCode::data, "a.tok", ": expected ", 3, " tokens, got ", 2.5);
  EXPECT_STREQ(error.what(), "a.tok: expected 3 tokens, got 2.5");
  EXPECT_EQ(error.code(), ExitCode::data);
}

TEST(Error, EveryExitCodeHasItsNumberAndName) {
  const std::vector<std::pair<int, std::string>> expected = {
      {0, "OK"},  {1, "DIFFERENT"},  {64, "USAGE"}, {65, "DATA"},   {66, "NOINPUT"},  {70, "INTERNAL"},  {73, "OUTPUT"},
      {74, "IO"}, {75, "PREEMPTED"}, {76, "PEER"},  {78, "CONFIG"}, {80, "DIVERGED"}, {81, "NOPROGRESS"}};
  for (const auto& [number, text] : expected) EXPECT_EQ(name(static_cast<ExitCode>(number)), text);
}

TEST(Check, ThatHoldsDoesNotEvaluateItsMessage) {
  int evaluated = 0;
  PEERLESS_CHECK(1 + 1 == 2, "counted ", ++evaluated);
  EXPECT_EQ(evaluated, 0);
}

TEST(Check, ThatFailsSaysWhereAndWhat) {
  try {
    PEERLESS_CHECK(1 > 2, "i = ", 7);
    FAIL() << "nothing was thrown";
  } catch (const BrokenInvariant& broken) {
    const std::string what = broken.what();
    EXPECT_TRUE(what.ends_with(": broken invariant: 1 > 2: i = 7")) << what;
    EXPECT_NE(what.find("error_test.cpp:"), std::string::npos) << what;
  }
}

TEST(Check, NeedsNoMessage) {
  try {
    PEERLESS_CHECK(1 > 2);
    FAIL() << "nothing was thrown";
  } catch (const BrokenInvariant& broken) {
    EXPECT_TRUE(std::string(broken.what()).ends_with(": broken invariant: 1 > 2")) << broken.what();
  }
}

}  // namespace
}  // namespace peerless
