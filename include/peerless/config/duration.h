// A length of training as a config says it: steps `100`, tokens `2e9tok`, or a share of the run `2%`; 0 means never.
//
// Everything is an integer, so that the number of steps is exact: 7% of 100 steps is 7, not 8.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peerless {

class Duration {
 public:
  static constexpr std::string_view type_name = "duration";
  static constexpr std::string_view form = "steps (100), tokens (2e9tok) or a share of the run (2%)";
  static constexpr std::string_view pattern = R"(^[0-9]+((\.[0-9]+)?([eE][+-]?[0-9]+)?(tok|%))?$)";

  constexpr Duration() = default;  // never
  static constexpr Duration of_steps(std::int64_t steps) { return {steps, Unit::steps}; }
  static constexpr Duration of_tokens(std::int64_t tokens) { return {tokens, Unit::tokens}; }
  static constexpr Duration of_percent(std::int64_t percent) { return {percent * kPercent, Unit::share}; }

  static std::optional<Duration> parse(std::string_view text);
  std::string text() const;

  // Rounded up, so that 0 is exactly the durations that mean never.
  std::int64_t steps(std::int64_t total_steps, std::int64_t tokens_per_step) const;

  bool operator==(const Duration&) const = default;

 private:
  enum class Unit { steps, tokens, share };
  static constexpr int kPercentDigits = 6;
  static constexpr std::int64_t kPercent = 1'000'000;     // a share is kept in millionths of a per cent,
  static constexpr std::int64_t kWhole = 100 * kPercent;  // 100 of which are the run

  constexpr Duration(std::int64_t amount, Unit unit) : amount_(amount), unit_(unit) {}

  std::int64_t amount_ = 0;
  Unit unit_ = Unit::steps;
};

}  // namespace peerless
