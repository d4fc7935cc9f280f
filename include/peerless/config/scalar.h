// A scalar type of one's own, written in YAML as one word: any class with these members (Duration, LayerRange).
//
//   static constexpr std::string_view type_name;   "duration", as tables say it
//   static constexpr std::string_view form;        what is expected: "steps (100), tokens (2e9tok) or ..."
//   static constexpr std::string_view pattern;     the same as a regular expression, for the JSON Schema
//   static std::optional<T> parse(std::string_view text);   nothing when the text has not this form
//   std::string text() const;                               parse(x.text()) == x
#pragma once

#include <concepts>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

namespace peerless {

template <class T>
concept IsScalar = requires(const T& value, std::string_view text) {
  { T::type_name } -> std::convertible_to<std::string_view>;
  { T::form } -> std::convertible_to<std::string_view>;
  { T::pattern } -> std::convertible_to<std::string_view>;
  { T::parse(text) } -> std::same_as<std::optional<T>>;
  { value.text() } -> std::same_as<std::string>;
};

// A decimal without sign times 10^scale, exactly: ("2.5", 1) -> 25, ("2e9", 0) -> 2000000000. Nothing when the text is
// no decimal, or the result is no integer or beyond 64 bits.
std::optional<std::int64_t> exact_decimal(std::string_view text, int scale);

}  // namespace peerless
