#include "peerless/train/finite.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <limits>

#include "tests/support/complaint.h"

namespace peerless {
namespace {

using test::complaint;
using test::Complaint;

constexpr float kMost = std::numeric_limits<float>::max(), kInfinity = std::numeric_limits<float>::infinity();

TEST(Finite, TheFirstTensorThatIsNotIsNamed) {
  for (const float bad : {std::numeric_limits<float>::quiet_NaN(), kInfinity, -kInfinity}) {
    const auto weight = at::zeros({3, 5000}), table = at::zeros({4, 2});
    weight[1][4321] = bad;
    table[0][0] = bad;
    EXPECT_EQ(
        complaint([&] {
          check_finite({{"good", at::ones({2})}, {"weight", weight}, {"table", table}}, "step");
        }),
        (Complaint{ExitCode::data,
                   "step: tensor weight holds what is no finite number; --allow-nonfinite takes it all the same"}));
  }
}

TEST(Finite, LargeNumbersAreAndSoIsWhatHoldsNone) {
  const auto largest = at::full({1000}, kMost).set_requires_grad(true);
  EXPECT_NO_THROW(
      check_finite({{"largest", largest}, {"none", at::empty({0, 3})}, {"count", at::ones({2}, at::kLong)}}, "step"));
}

TEST(Finite, AnyFloatingTypeIsLookedAt) {
  for (const auto type : {at::kDouble, at::kHalf, at::kBFloat16})
    EXPECT_EQ(complaint([&] {
                check_finite({{"a", at::full({9}, kInfinity, type)}}, "step");
              }).code,
              ExitCode::data)
        << type;
}

}  // namespace
}  // namespace peerless
