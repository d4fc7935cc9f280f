#include "src/ops/kernels/exp.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cmath>
#include <limits>

namespace peerless::kernels {
namespace {

// In units of the last place of the right result.
float distance(float ours, double right) {
  const auto rounded = static_cast<float>(right);
  const float unit = std::nextafter(std::abs(rounded), std::numeric_limits<float>::infinity()) - std::abs(rounded);
  return static_cast<float>(std::abs(static_cast<double>(ours) - right)) / unit;
}

TEST(Exp, FloatsAreWithinAFewUnitsOfTheLastPlace) {
  for (float x = -8; x < 8; x += 1.0F / 4096) {
    EXPECT_LE(distance(erf(x), std::erf(static_cast<double>(x))), 2) << x;
    EXPECT_LE(distance(exp_of_minus_abs(x), std::exp(-std::abs(static_cast<double>(x)))), 2) << x;
  }
}

TEST(Exp, KeepsSignsAndWhatIsNoNumber) {
  EXPECT_EQ(erf(100.0F), 1);
  EXPECT_EQ(erf(-100.0F), -1);
  EXPECT_EQ(erf(0.0F), 0);
  EXPECT_TRUE(std::isnan(erf(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace peerless::kernels
