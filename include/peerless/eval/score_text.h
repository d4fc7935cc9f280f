// The log-probability of every token of a text of any length.
//
// The text is read in windows of the model's context that overlap by half, so that each token but those of the first
// window has at least half a context before it; every token is scored once (data/scoring_windows.h).
#pragma once

#include <cstddef>
#include <functional>
#include <span>

#include "peerless/model/language_model.h"
#include "peerless/text/tokenizer.h"

namespace peerless {

// Calls take(i, log p(tokens[i] | what its window holds before it)), in nats, for i from 1 on, in order; tokens[0] (the
// bos) is only read.
void score_tokens(LanguageModel& model, std::span<const TokenId> tokens,
                  const std::function<void(std::size_t, float)>& take);

}  // namespace peerless
