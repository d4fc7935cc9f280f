#include "src/checkpoint/strict_json.h"

#include <limits>
#include <set>
#include <string>

#include "peerless/base/error.h"

namespace peerless {
namespace {

constexpr int kMaxDepth = 8;

}  // namespace

nlohmann::json parse_strict_json(std::string_view text, std::string_view source) {
  using Event = nlohmann::json::parse_event_t;
  std::vector<std::set<std::string>> keys;  // of the objects that are open
  const auto inspect = [&](int depth, Event event, const nlohmann::json& parsed) {
    if (depth > kMaxDepth) throw Error(ExitCode::data, source, ": JSON deeper than ", kMaxDepth, " levels");
    if (event == Event::object_start) keys.emplace_back();
    if (event == Event::object_end) keys.pop_back();
    if (event == Event::key && !keys.back().insert(parsed.get<std::string>()).second) {
      throw Error(ExitCode::data, source, ": key \"", shown(parsed.get<std::string>()), "\" twice");
    }
    return true;
  };
  // nlohmann-json would take a NUL for the end of the text, whatever comes after it.
  if (text.find('\0') != text.npos) throw Error(ExitCode::data, source, ": invalid JSON: it holds a NUL");
  try {
    return nlohmann::json::parse(text.begin(), text.end(), inspect);
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::data, source, ": invalid JSON: ", excerpt(error.what(), 500));
  }
}

std::optional<std::vector<std::int64_t>> natural_numbers(const nlohmann::json& value) {
  if (!value.is_array()) return std::nullopt;
  std::vector<std::int64_t> numbers;
  for (const auto& number : value) {
    const auto natural = natural_number(number);
    if (!natural) return std::nullopt;
    numbers.push_back(*natural);
  }
  return numbers;
}

std::optional<std::int64_t> natural_number(const nlohmann::json& value) {
  if (!value.is_number_unsigned()) return std::nullopt;  // what nlohmann-json calls an integer that has no sign
  const auto number = value.get<std::uint64_t>();
  if (number > std::numeric_limits<std::int64_t>::max()) return std::nullopt;
  return static_cast<std::int64_t>(number);
}

}  // namespace peerless
