#include "src/checkpoint/elements.h"

#include <gtest/gtest.h>

#include <array>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

namespace peerless {
namespace {

constexpr double kInfinity = std::numeric_limits<double>::infinity();

std::uint16_t bits_of(DType dtype, double value) {
  std::array<std::byte, 2> bytes{};
  put_value(dtype, value, bytes.data());
  std::uint16_t bits;
  std::memcpy(&bits, bytes.data(), sizeof bits);
  return bits;
}

double value_of_bits(DType dtype, std::uint16_t bits) {
  std::array<std::byte, 2> bytes{};
  std::memcpy(bytes.data(), &bits, sizeof bits);
  return value_of(dtype, bytes.data());
}

// All 65536 of them.
TEST(Elements, EveryShortNumberComesBackAsItWas) {
  for (const auto dtype : {DType::f16, DType::bf16}) {
    for (std::uint32_t bits = 0; bits < 65536; ++bits) {
      const double value = value_of_bits(dtype, static_cast<std::uint16_t>(bits));
      if (std::isnan(value))
        ASSERT_TRUE(std::isnan(value_of_bits(dtype, bits_of(dtype, value)))) << bits;
      else
        ASSERT_EQ(bits_of(dtype, value), bits) << value;
    }
  }
}

// A number between two neighbours goes to the nearer; right in the middle, to the even one.
TEST(Elements, ShortNumbersAreRoundedToTheNearest) {
  for (const auto dtype : {DType::f16, DType::bf16}) {
    const std::uint16_t end = dtype == DType::f16 ? 0x7bff : 0x7f7f;  // the largest that is finite
    for (std::uint16_t bits = 0; bits < end; ++bits) {
      const auto next = static_cast<std::uint16_t>(bits + 1);
      const double middle = (value_of_bits(dtype, bits) + value_of_bits(dtype, next)) / 2;
      ASSERT_EQ(bits_of(dtype, std::nextafter(middle, 0)), bits);
      ASSERT_EQ(bits_of(dtype, std::nextafter(middle, kInfinity)), next);
      ASSERT_EQ(bits_of(dtype, middle), bits % 2 == 0 ? bits : next);
    }
  }
}

TEST(Elements, WhatIsTooLargeIsInfinity) {
  EXPECT_EQ(bits_of(DType::f16, 65519), 0x7bff);
  EXPECT_EQ(bits_of(DType::f16, -65520), 0xfc00);
  EXPECT_EQ(bits_of(DType::f16, 1e300), 0x7c00);
  EXPECT_EQ(bits_of(DType::bf16, 3.3895e38), 0x7f7f);
  EXPECT_EQ(bits_of(DType::bf16, -3.3999e38), 0xff80);
  EXPECT_EQ(bits_of(DType::bf16, 1e300), 0x7f80);
}

}  // namespace
}  // namespace peerless
