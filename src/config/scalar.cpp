#include "peerless/config/scalar.h"

#include <charconv>
#include <limits>

namespace peerless {
namespace {

constexpr std::int64_t kMax = std::numeric_limits<std::int64_t>::max();

bool is_digit(char c) { return '0' <= c && c <= '9'; }

}  // namespace

std::optional<std::int64_t> exact_decimal(std::string_view text, int scale) {
  std::int64_t value = 0;
  std::size_t digits = 0, fraction = 0, i = 0;
  bool after_point = false;
  for (; i < text.size(); ++i) {
    if (text[i] == '.' && !after_point && digits > 0) {
      after_point = true;
    } else if (is_digit(text[i])) {
      const int digit = text[i] - '0';
      if (value > (kMax - digit) / 10) return std::nullopt;
      value = value * 10 + digit;
      ++digits;
      fraction += after_point;
    } else {
      break;
    }
  }
  if (digits == 0 || (after_point && fraction == 0)) return std::nullopt;

  int exponent = 0;
  if (i < text.size()) {
    if (text[i] != 'e' && text[i] != 'E') return std::nullopt;
    ++i;
    if (i + 1 < text.size() && text[i] == '+' && is_digit(text[i + 1])) ++i;
    const auto [end, error] = std::from_chars(text.data() + i, text.data() + text.size(), exponent);
    if (error != std::errc{} || end != text.data() + text.size()) return std::nullopt;
  }
  if (value == 0) return 0;
  if (exponent > 1000 || exponent < -1000) return std::nullopt;

  for (exponent += scale - static_cast<int>(fraction); exponent > 0; --exponent) {
    if (value > kMax / 10) return std::nullopt;
    value *= 10;
  }
  for (; exponent < 0; ++exponent) {
    if (value % 10 != 0) return std::nullopt;
    value /= 10;
  }
  return value;
}

}  // namespace peerless
