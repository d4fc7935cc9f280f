#include "peerless/data/permutation.h"

#include <gtest/gtest.h>

#include <cmath>
#include <cstdint>
#include <numeric>
#include <vector>

namespace peerless {
namespace {

std::vector<std::uint64_t> images(std::uint64_t size, std::uint64_t key) {
  const Permutation permutation(size, key);
  std::vector<std::uint64_t> images;
  for (std::uint64_t i = 0; i < size; ++i) images.push_back(permutation(i));
  return images;
}

TEST(Permutation, HitsEveryNumberOnceForEverySize) {
  for (std::uint64_t size = 1; size <= 5000; size += size < 600 ? 1 : 37) {
    std::vector<bool> hit(size);
    for (const auto image : images(size, size * 31)) {
      ASSERT_LT(image, size);
      ASSERT_FALSE(hit[image]) << "size " << size << ", twice " << image;
      hit[image] = true;
    }
  }
}

TEST(Permutation, StaysInRangeForHugeSizes) {
  for (const auto size : {(std::uint64_t{1} << 40) + 1, std::uint64_t{999999999989}, std::uint64_t{1} << 48}) {
    const Permutation permutation(size, 5);
    for (std::uint64_t i = 0; i < 100; ++i) {
      EXPECT_LT(permutation(i), size);
      EXPECT_LT(permutation(size - 1 - i), size);
    }
  }
}

TEST(Permutation, DependsOnTheKeyAlone) {
  EXPECT_EQ(images(1000, 3), images(1000, 3));
  EXPECT_NE(images(1000, 3), images(1000, 4));
}

// A change here changes the sample order of every run that is resumed.
TEST(Permutation, ItsValuesMustNeverChange) {
  EXPECT_EQ(images(10, 0), (std::vector<std::uint64_t>{4, 0, 7, 6, 3, 2, 1, 8, 9, 5}));
  EXPECT_EQ(Permutation(1'000'000'007, 1)(123456789), 113194349u);
}

// Over 20,000 keys, element i of n must be at each place equally often: chi-square with n - 1 degrees of freedom.
TEST(Permutation, EveryPlaceIsEquallyLikely) {
  constexpr double kKeys = 20000;
  for (const std::uint64_t size : {2, 3, 5, 7, 12, 30}) {
    for (std::uint64_t element = 0; element < size; ++element) {
      std::vector<double> seen(size);
      for (std::uint64_t key = 0; key < kKeys; ++key) seen[Permutation(size, key)(element)] += 1;
      double chi_square = 0;
      for (const double count : seen) chi_square += std::pow(count - kKeys / size, 2) / (kKeys / size);
      const double degrees = static_cast<double>(size) - 1;
      EXPECT_LT(chi_square, degrees + 5 * std::sqrt(2 * degrees) + 5) << "size " << size << ", element " << element;
    }
  }
}

double correlation(const std::vector<std::uint64_t>& x, const std::vector<std::uint64_t>& y) {
  const auto n = static_cast<double>(x.size());
  double mean = (n - 1) / 2, product = 0, square = 0;
  for (std::size_t i = 0; i < x.size(); ++i) {
    product += (static_cast<double>(x[i]) - mean) * (static_cast<double>(y[i]) - mean);
    square += std::pow(static_cast<double>(x[i]) - mean, 2);
  }
  return product / square;
}

// Like a random shuffle: neighbours, places and keys are uncorrelated. 5 standard deviations are allowed.
TEST(Permutation, ShufflesWell) {
  for (const std::uint64_t size : {500, 4096, 4999, 100000}) {
    const auto bound = 5 / std::sqrt(static_cast<double>(size));
    const auto image = images(size, 11);
    std::vector<std::uint64_t> identity(size), next(image.begin() + 1, image.end());
    std::iota(identity.begin(), identity.end(), std::uint64_t{0});
    next.push_back(image.front());
    EXPECT_LT(std::abs(correlation(image, identity)), bound) << size;
    EXPECT_LT(std::abs(correlation(image, next)), bound) << size;
    EXPECT_LT(std::abs(correlation(image, images(size, 12))), bound) << size;

    std::uint64_t kept_neighbours = 0;
    for (std::size_t i = 0; i + 1 < size; ++i) kept_neighbours += image[i + 1] == image[i] + 1;
    EXPECT_LE(kept_neighbours, 8u) << "one is expected";
  }
}

}  // namespace
}  // namespace peerless
