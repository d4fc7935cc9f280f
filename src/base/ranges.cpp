#include "peerless/base/ranges.h"

#include <algorithm>

#include "peerless/base/text.h"

namespace peerless {

std::string ranges(const std::vector<std::int64_t>& ranks) {
  std::vector<std::string> parts;
  for (std::size_t first = 0, last = 0; first < ranks.size(); first = ++last) {
    while (last + 1 < ranks.size() && ranks[last + 1] == ranks[last] + 1) ++last;
    parts.push_back(concat(ranks[first]));
    if (last > first) parts.back() += concat("-", ranks[last]);
  }
  return join(parts, ", ");
}

void add_rank(RanksByText& said, const std::string& text, std::int64_t rank) {
  const auto known = std::ranges::find(said, text, &RanksByText::value_type::first);
  known == said.end() ? said.push_back({text, {rank}}) : known->second.push_back(rank);
}

}  // namespace peerless
