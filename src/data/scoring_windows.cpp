#include "peerless/data/scoring_windows.h"

#include <algorithm>

#include "peerless/base/error.h"

namespace peerless {

std::vector<ScoringWindow> scoring_windows(std::uint64_t num_tokens, std::uint64_t window, std::uint64_t stride) {
  PEERLESS_CHECK(stride >= 1 && stride <= window, "stride = ", stride, ", window = ", window);
  std::vector<ScoringWindow> windows;
  for (std::uint64_t begin = 0, scored = 1; scored < num_tokens; begin += stride) {
    const auto end = std::min(begin + window + 1, num_tokens);
    windows.push_back({begin, scored, end});
    scored = end;
  }
  return windows;
}

}  // namespace peerless
