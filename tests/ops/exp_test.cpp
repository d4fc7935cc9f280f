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
  float of_erf = 0, of_exp = 0;
  for (float x = -8; x < 8; x += 1.0F / 4096) {
    of_erf = std::max(of_erf, distance(erf(x), std::erf(static_cast<double>(x))));
    of_exp = std::max(of_exp, distance(exp_of_minus_abs(x), std::exp(-std::abs(static_cast<double>(x)))));
  }
  EXPECT_LE(of_erf, 2);
  EXPECT_LE(of_exp, 2);
}

TEST(Exp, KeepsSignsAndWhatIsNoNumber) {
  EXPECT_EQ(erf(100.0F), 1);
  EXPECT_EQ(erf(-100.0F), -1);
  EXPECT_EQ(erf(0.0F), 0);
  EXPECT_TRUE(std::isnan(erf(std::numeric_limits<float>::quiet_NaN())));
}

}  // namespace
}  // namespace peerless::kernels
