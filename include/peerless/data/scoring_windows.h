// How a text longer than the model's context is scored: overlapping windows, each token once.
#pragma once

#include <cstdint>
#include <vector>

namespace peerless {

// The model reads the tokens [begin, end - 1) and predicts [begin + 1, end); of these, [score_from, end) count.
struct ScoringWindow {
  std::uint64_t begin, score_from, end;
  bool operator==(const ScoringWindow&) const = default;
};

// Covers the tokens 1 .. num_tokens - 1 (token 0 is only read: bos). The first window scores all its `window` targets;
// each later one begins `stride` further and scores its last `stride`: those have window - stride tokens before them
// at least. The last window is shorter.  1 <= stride <= window
std::vector<ScoringWindow> scoring_windows(std::uint64_t num_tokens, std::uint64_t window, std::uint64_t stride);

}  // namespace peerless
