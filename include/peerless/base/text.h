// Text from values, and small text helpers. Independent of the process's locale: numbers always have a '.'.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <string>
#include <string_view>
#include <type_traits>
#include <vector>

namespace peerless {

// The shortest decimal text that reads back as the same number: 0.001 -> "0.001", 1e-8 -> "1e-08", 0.1f -> "0.1".
std::string shortest(double value);
std::string shortest(float value);

// A number for people, with a prefix of powers of 1000: human(1.25e9, "FLOP") = "1.2 GFLOP".
std::string human(double value, std::string_view unit);
std::string human_bytes(double bytes);  // "3.2 MB"

// For names that sort as their numbers do, while these have at most `digits`: zero_padded(7, 5) = "00007". No digit is
// cut.
std::string zero_padded(std::int64_t number, std::size_t digits);

// `text` split at each `separator`; "" gives one empty part.
std::vector<std::string> split(std::string_view text, char separator);

// `parts` with `separator` between them.
std::string join(const std::vector<std::string>& parts, std::string_view separator);

// The candidate with the fewest edits from `word` (a letter added, dropped, changed, or swapped with its neighbour),
// the first of equals; "" when all need more than 2 edits and a third of its letters, or as many edits as it has
// letters: then it was no slip.
std::string nearest(std::string_view word, const std::vector<std::string>& candidates);

// Control characters and bytes that are not UTF-8 (a path or a config may hold any) as \xNN, so that one message stays
// one line, and no terminal obeys it.
std::string printable(std::string_view text);

// A text of anybody's as messages quote it: printable, and cut when it is long.
std::string excerpt(std::string_view text, std::size_t longest = 60);

namespace detail {
template <class T>
void append(std::string& out, const T& value) {
  if constexpr (std::is_same_v<T, bool>) {
    out += value ? "true" : "false";
  } else if constexpr (std::is_same_v<T, char>) {
    out += value;
  } else if constexpr (std::is_floating_point_v<T>) {
    out += shortest(value);
  } else if constexpr (std::is_integral_v<T>) {
    out += std::to_string(value);
  } else if constexpr (std::is_same_v<T, std::filesystem::path>) {
    out += value.string();
  } else {
    out += std::string_view(value);
  }
}
}  // namespace detail

// The values as text, one after another.
template <class... Parts>
std::string concat(const Parts&... parts) {
  std::string out;
  (detail::append(out, parts), ...);
  return out;
}

}  // namespace peerless
