// The next token from its logits.
#pragma once

#include <cstdint>
#include <span>

#include "peerless/text/tokenizer.h"

namespace peerless {

struct Sampling {
  double temperature = 1;  // logits are divided by it; 0: the most likely token (of equals the lowest id)
  std::int64_t top_k = 0;  // only the k most likely; 0: all
  double top_p = 1;        // only the fewest most likely whose probabilities sum to at least p
  std::uint64_t seed = 0;
  std::int64_t vocab_size = 0;  // only the first so many ids, those that the tokenizer has; 0: all
};

// A pure function of its arguments: `index` is the number of the token in the text being generated.
TokenId sample(std::span<const float> logits, const Sampling& sampling, std::uint64_t index);

}  // namespace peerless
