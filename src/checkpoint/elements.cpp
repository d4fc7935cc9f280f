#include "src/checkpoint/elements.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <limits>

#include "peerless/base/error.h"

namespace peerless {
namespace {

float from_bf16(std::uint16_t bits) { return std::bit_cast<float>(std::uint32_t{bits} << 16); }

float from_f16(std::uint16_t bits) {
  const int exponent = (bits >> 10) & 31;
  const float fraction = static_cast<float>(bits & 1023);
  const float sign = (bits & 0x8000) != 0 ? -1.0f : 1.0f;
  if (exponent == 0) return sign * std::ldexp(fraction, -24);
  if (exponent == 31) {
    return fraction == 0 ? sign * std::numeric_limits<float>::infinity() : std::numeric_limits<float>::quiet_NaN();
  }
  return sign * std::ldexp(fraction + 1024, exponent - 25);
}

// The nearest number of so many bits, of which the last counts no less than 2^least. Straight from double: by way of
// float some would be rounded twice.
double rounded(double value, int bits, int least) {
  if (value == 0 || !std::isfinite(value)) return value;
  const int last = std::max(std::ilogb(value) - bits + 1, least);
  return std::ldexp(std::nearbyint(std::ldexp(value, -last)), last);
}

std::uint16_t to_bf16(double value) {
  const auto bits = std::bit_cast<std::uint32_t>(static_cast<float>(rounded(value, 8, -133)));
  return static_cast<std::uint16_t>(std::isnan(value) ? bits >> 16 | 0x40 : bits >> 16);
}

std::uint16_t to_f16(double value) {
  const unsigned sign = std::signbit(value) ? 0x8000 : 0;
  const double size = std::abs(rounded(value, 11, -24));
  const auto with_sign = [&](auto bits) { return static_cast<std::uint16_t>(sign | static_cast<unsigned>(bits)); };
  if (std::isnan(value)) return with_sign(0x7e00);
  if (size >= 65536) return with_sign(0x7c00);
  if (size < std::ldexp(1.0, -14)) return with_sign(std::ldexp(size, 24));
  const int exponent = std::ilogb(size);
  return with_sign(((exponent + 14) << 10) + static_cast<int>(std::ldexp(size, 10 - exponent)));
}

template <class T>
T load_as(const std::byte* at) {
  T value;
  std::memcpy(&value, at, sizeof(T));
  return value;
}

template <class T>
void store(T value, std::byte* at) {
  std::memcpy(at, &value, sizeof(T));
}

}  // namespace

std::string kind_of(DType dtype, const Shape& shape) {
  std::vector<std::string> extents;
  for (const auto extent : shape) extents.push_back(concat(extent));
  return concat(name_of(dtype), " [", join(extents, ", "), "]");
}

bool is_floating(DType dtype) {
  return dtype == DType::f64 || dtype == DType::f32 || dtype == DType::f16 || dtype == DType::bf16;
}

double value_of(DType dtype, const std::byte* at) {
  switch (dtype) {
    case DType::f64:
      return load_as<double>(at);
    case DType::f32:
      return load_as<float>(at);
    case DType::f16:
      return from_f16(load_as<std::uint16_t>(at));
    case DType::bf16:
      return from_bf16(load_as<std::uint16_t>(at));
    case DType::i64:
      return static_cast<double>(load_as<std::int64_t>(at));
    case DType::i32:
      return load_as<std::int32_t>(at);
    case DType::i16:
      return load_as<std::int16_t>(at);
    case DType::i8:
      return load_as<std::int8_t>(at);
    case DType::u8:
    case DType::boolean:
      return load_as<std::uint8_t>(at);
  }
  PEERLESS_CHECK(false, "no such dtype");
  return 0;
}

void put_value(DType dtype, double value, std::byte* at) {
  switch (dtype) {
    case DType::f64:
      return store(value, at);
    case DType::f32:
      return store(static_cast<float>(value), at);
    case DType::f16:
      return store(to_f16(value), at);
    case DType::bf16:
      return store(to_bf16(value), at);
    default:
      PEERLESS_CHECK(false, name_of(dtype), " is no floating dtype");
  }
}

}  // namespace peerless
