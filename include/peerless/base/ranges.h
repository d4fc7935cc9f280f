// Ascending numbers for people: ranges({0, 1, 2, 5}) = "0-2, 5".
#pragma once

#include <cstdint>
#include <string>
#include <vector>

namespace peerless {

std::string ranges(const std::vector<std::int64_t>& ascending);

}  // namespace peerless
