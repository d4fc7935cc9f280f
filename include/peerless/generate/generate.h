// Text from a model, token by token.
#pragma once

#include <functional>
#include <vector>

#include "peerless/generate/sampling.h"
#include "peerless/model/language_model.h"

namespace peerless {

enum class Decoding {
  cached,  // keys and values of the context are kept: each token costs one position
  full,    // the whole context anew for each token: the plain reference
};

// Continues `prompt` (at least one token) until `max_tokens` are made, `stop` is made, or `take` returns false; `take`
// gets each token as it is made. A context longer than the model was trained for goes on from its last half. Returns
// the tokens made, without the prompt and without `stop`.
std::vector<TokenId> generate(LanguageModel& model, const std::vector<TokenId>& prompt, std::int64_t max_tokens,
                              const Sampling& sampling, std::optional<TokenId> stop,
                              const std::function<bool(TokenId)>& take, Decoding decoding = Decoding::cached);

}  // namespace peerless
