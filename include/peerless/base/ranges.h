// Numbers of processes, as people read them.
#pragma once

#include <cstdint>
#include <string>
#include <utility>
#include <vector>

namespace peerless {

// ranges({0, 1, 2, 5}) = "0-2, 5"; ascending.
std::string ranges(const std::vector<std::int64_t>& ranks);

// Who says what, in the order in which a text was first said.
using RanksByText = std::vector<std::pair<std::string, std::vector<std::int64_t>>>;
void add_rank(RanksByText& said, const std::string& text, std::int64_t rank);

}  // namespace peerless
