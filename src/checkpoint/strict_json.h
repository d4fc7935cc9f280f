// JSON of files that anybody may have written: refuses what nlohmann-json lets pass.
#pragma once

#include <cstdint>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/base/text.h"

namespace peerless {

// Error(data), "SOURCE: ...", for a syntax error, invalid UTF-8, a key twice in one object, more than 8 levels.
nlohmann::json parse_strict_json(std::string_view text, std::string_view source);

// The value as an integer >= 0, or a list of them; nothing when it is anything else.
std::optional<std::int64_t> natural_number(const nlohmann::json& value);
std::optional<std::vector<std::int64_t>> natural_numbers(const nlohmann::json& value);

// A name in such a file, as messages quote it.
inline std::string shown(std::string_view name) { return excerpt(name, 200); }

}  // namespace peerless
