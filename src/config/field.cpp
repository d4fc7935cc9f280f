#include "peerless/config/field.h"

#include <cmath>

namespace peerless::rule {

std::string number(double value) {
  constexpr double kExact = 9007199254740992.0;  // 2^53: below it every integer is a double
  if (std::trunc(value) == value && std::abs(value) < kExact) return std::to_string(static_cast<std::int64_t>(value));
  return shortest(value);
}

}  // namespace peerless::rule
