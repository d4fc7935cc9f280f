#include "peerless/ops/sum_of_squares.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cmath>
#include <limits>
#include <numeric>

#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::Threads;

double sum_of_squares(const at::Tensor& x) {
  const auto sums = sums_of_squares(x, 4096);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

TEST(SumOfSquares, IsTheSumOfSquaresInDouble) {
  torch::manual_seed(1);
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    for (const std::int64_t n : {0, 1, 4095, 4096, 4097, 100'000}) {
      const auto x = torch::randn({n}, dtype);
      const double expected = x.to(at::kDouble).square().sum().item<double>();
      EXPECT_NEAR(sum_of_squares(x), expected, 1e-12 * expected);
    }
  }
}

TEST(SumOfSquares, IsOfEachBlock) {
  const auto x = torch::arange(10, at::kFloat);
  EXPECT_EQ(sums_of_squares(x, 4), (std::vector<double>{0 + 1 + 4 + 9, 16 + 25 + 36 + 49, 64 + 81}));
}

TEST(SumOfSquares, DoesNotOverflowWhereTheSquaresOfFloatsDo) {
  EXPECT_DOUBLE_EQ(sum_of_squares(torch::full({4}, 1e30F)), 4 * std::pow(static_cast<double>(1e30F), 2));
}

TEST(SumOfSquares, BitsDoNotDependOnTheNumberOfThreads) {
  torch::manual_seed(1);
  const auto x = torch::randn({1'000'003});
  const auto with = [&](int threads) {
    const Threads guard(threads);
    return sum_of_squares(x);
  };
  EXPECT_EQ(with(1), with(2));
  EXPECT_EQ(with(1), with(3));
}

TEST(SumOfSquares, OneElementThatIsNotFiniteShows) {
  for (const float bad : {std::numeric_limits<float>::infinity(), std::numeric_limits<float>::quiet_NaN()}) {
    auto x = torch::ones({10'000});
    x[9'999] = bad;
    EXPECT_FALSE(std::isfinite(sum_of_squares(x)));
  }
}

}  // namespace
}  // namespace peerless
