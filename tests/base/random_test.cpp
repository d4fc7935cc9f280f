#include "peerless/base/random.h"

#include <gtest/gtest.h>

#include <cmath>
#include <set>
#include <vector>

namespace peerless {
namespace {

using Words = std::array<std::uint32_t, 4>;

// The known answers that come with the paper's library Random123 (kat_vectors, philox4x32 10).
TEST(Philox, GivesTheKnownAnswers) {
  EXPECT_EQ(philox({0, 0, 0, 0}, {0, 0}), (Words{0x6627e8d5, 0xe169c58d, 0xbc57ac4c, 0x9b00dbd8}));
  constexpr std::uint32_t kOnes = 0xffffffff;
  EXPECT_EQ(philox({kOnes, kOnes, kOnes, kOnes}, {kOnes, kOnes}),
            (Words{0x408f276d, 0x41c83b0e, 0xa20bc7c6, 0x6d5451fd}));
  EXPECT_EQ(philox({0x243f6a88, 0x85a308d3, 0x13198a2e, 0x03707344}, {0xa4093822, 0x299f31d0}),
            (Words{0xd16cfe09, 0x94fdcceb, 0x5001e420, 0x24126ea1}));
}

TEST(Mix, SeparatesSeedsNumbersAndNames) {
  std::set<std::uint64_t> seen;
  for (std::uint64_t seed = 0; seed < 100; ++seed) {
    for (std::uint64_t value = 0; value < 100; ++value) seen.insert(mix(seed, value));
    seen.insert(mix(seed, "embedding"));
    seen.insert(mix(seed, "head"));
  }
  EXPECT_EQ(seen.size(), 100u * 102u);
}

// Box-Muller word by word, in double precision.
double normal_by_libm(std::uint64_t seed, std::uint64_t stream, std::uint64_t index) {
  const auto low = [](std::uint64_t x) { return static_cast<std::uint32_t>(x); };
  const auto high = [](std::uint64_t x) { return static_cast<std::uint32_t>(x >> 32); };
  const auto words = philox({low(index / 4), high(index / 4), low(stream), high(stream)}, {low(seed), high(seed)});
  const std::size_t pair = index % 4 < 2 ? 0 : 2;
  const double u = (words[pair] / 2 + 0.5) * 0x1p-31;
  const double angle = 2 * M_PI * words[pair + 1] * 0x1p-32;
  return std::sqrt(-2 * std::log(u)) * (index % 2 == 0 ? std::cos(angle) : std::sin(angle));
}

TEST(Normal, IsBoxMullerOnPhiloxWords) {
  std::vector<float> numbers(100'000);
  RandomStream(5, 6).normal(numbers, 0);
  for (std::size_t i = 0; i < numbers.size(); ++i) {
    const double expected = normal_by_libm(5, 6, i);
    // u in fp32 is off by up to 2^-25, and so r^2 by 2^-24: a small r is off by 2^-24 / (2 r).
    ASSERT_NEAR(numbers[i], expected, 2e-6 + 0x1p-25 / std::abs(expected)) << i;
  }
}

TEST(Normal, OfAnIndexIsTheSameWhereverTheSpanBegins) {
  constexpr std::uint64_t kFar = (std::uint64_t{1} << 34) - 500;  // the counter's high word changes on the way
  const RandomStream stream(1, 2);
  std::vector<float> whole(1000);
  stream.normal(whole, kFar);
  for (const std::size_t size : {1, 3, 4, 255, 256, 257, 700}) {
    for (const std::size_t skip : {0, 1, 2, 3, 5, 255, 256, 299}) {
      std::vector<float> part(size);
      stream.normal(part, kFar + skip);
      for (std::size_t i = 0; i < size; ++i) ASSERT_EQ(part[i], whole[skip + i]) << "size " << size << " skip " << skip;
    }
  }
}

TEST(Normal, HasTheMomentsAndTailsOfTheNormalDistribution) {
  std::vector<float> numbers(1 << 22);
  RandomStream(1, 2).normal(numbers, 0);
  double sum = 0, squares = 0, fourths = 0, tail = 0;
  for (const double x : numbers) {
    sum += x;
    squares += x * x;
    fourths += x * x * x * x;
    tail += std::abs(x) > 3;
  }
  const double n = static_cast<double>(numbers.size());
  EXPECT_NEAR(sum / n, 0, 5 / std::sqrt(n));
  EXPECT_NEAR(squares / n, 1, 5 * std::sqrt(2 / n));
  EXPECT_NEAR(fourths / n, 3, 5 * std::sqrt(96 / n));
  EXPECT_NEAR(tail / n, 0.0026998, 5 * std::sqrt(0.0027 / n));
}

TEST(RandomStream, DiffersBySeedAndByStream) {
  EXPECT_NE(RandomStream(1, 2).bits(3), RandomStream(2, 2).bits(3));
  EXPECT_NE(RandomStream(1, 2).bits(3), RandomStream(1, 3).bits(3));
  EXPECT_NE(RandomStream(1, 2).bits(3), RandomStream(1, 2).bits(4));
  EXPECT_EQ(RandomStream(1, 2).bits(3), RandomStream(1, 2).bits(3));
}

TEST(RandomStream, DrawsUniformNumbersBelowOne) {
  const RandomStream stream(1, 2);
  double sum = 0;
  for (std::uint64_t i = 0; i < 100'000; ++i) {
    const double u = stream.uniform(i);
    ASSERT_GE(u, 0);
    ASSERT_LT(u, 1);
    sum += u;
  }
  EXPECT_NEAR(sum / 100'000, 0.5, 0.005);
}

TEST(RandomStream, DrawsEveryNumberBelowABoundAlikeOften) {
  const RandomStream stream(1, 2);
  std::vector<int> count(7);
  for (std::uint64_t i = 0; i < 70'000; ++i) ++count.at(stream.below(7, i));
  for (const int c : count) EXPECT_NEAR(c, 10'000, 500);
  EXPECT_EQ(stream.below(1, 0), 0u);
}

}  // namespace
}  // namespace peerless
