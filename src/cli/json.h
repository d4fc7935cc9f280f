// Answers for programs.
#pragma once

#include <iostream>
#include <nlohmann/json.hpp>
#include <optional>

namespace peerless::cli {

using Json = nlohmann::ordered_json;

// On one line; what is not UTF-8 (a path may hold any bytes) as U+FFFD.
inline void print(const Json& json) { std::cout << json.dump(-1, ' ', false, Json::error_handler_t::replace) << "\n"; }

template <class T>
Json or_null(const std::optional<T>& value) {
  return value ? Json(*value) : Json(nullptr);
}

}  // namespace peerless::cli
