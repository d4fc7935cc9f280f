#include "peerless/base/ranges.h"

#include "peerless/base/text.h"

namespace peerless {

std::string ranges(const std::vector<std::int64_t>& ascending) {
  std::vector<std::string> parts;
  for (std::size_t first = 0, last = 0; first < ascending.size(); first = ++last) {
    while (last + 1 < ascending.size() && ascending[last + 1] == ascending[last] + 1) ++last;
    parts.push_back(concat(ascending[first]));
    if (last > first) parts.back() += concat("-", ascending[last]);
  }
  return join(parts, ", ");
}

}  // namespace peerless
