#include "peerless/config/duration.h"

#include "peerless/base/error.h"
#include "peerless/config/scalar.h"

namespace peerless {
namespace {

std::int64_t divide_up(std::int64_t a, std::int64_t b) { return a / b + (a % b != 0); }

}  // namespace

std::optional<Duration> Duration::parse(std::string_view text) {
  const auto without = [&](std::string_view unit) { return text.substr(0, text.size() - unit.size()); };
  if (text.ends_with("tok")) {
    if (const auto tokens = exact_decimal(without("tok"), 0)) return of_tokens(*tokens);
  } else if (text.ends_with("%")) {
    const auto share = exact_decimal(without("%"), kPercentDigits);
    if (share && *share <= kWhole) return Duration(*share, Unit::share);
  } else if (text.find_first_not_of("0123456789") == std::string_view::npos) {
    if (const auto steps = exact_decimal(text, 0)) return of_steps(*steps);
  }
  return std::nullopt;
}

std::string Duration::text() const {
  if (unit_ == Unit::steps) return std::to_string(amount_);
  if (unit_ == Unit::tokens) return std::to_string(amount_) + "tok";
  std::string text = std::to_string(amount_ / kPercent);
  if (const std::int64_t rest = amount_ % kPercent; rest != 0) {
    std::string digits = std::to_string(rest);
    digits.insert(0, kPercentDigits - digits.size(), '0');
    digits.erase(digits.find_last_not_of('0') + 1);
    text += "." + digits;
  }
  return text + "%";
}

std::int64_t Duration::steps(std::int64_t total_steps, std::int64_t tokens_per_step) const {
  PEERLESS_CHECK(total_steps >= 0 && tokens_per_step > 0, "total_steps = ", total_steps,
                 ", tokens_per_step = ", tokens_per_step);
  if (unit_ == Unit::steps) return amount_;
  if (unit_ == Unit::tokens) return divide_up(amount_, tokens_per_step);
  // amount * total / whole without leaving 64 bits: amount <= whole, and the rest of total is below it too.
  return amount_ * (total_steps / kWhole) + divide_up(amount_ * (total_steps % kWhole), kWhole);
}

}  // namespace peerless
