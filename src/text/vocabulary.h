// What the kinds of tokenizers share.
#pragma once

#include <string>

#include "peerless/base/error.h"
#include "peerless/text/tokenizer.h"

namespace peerless {

inline void check_token(TokenId id, std::int64_t vocab_size) {
  if (id >= 0 && id < vocab_size) return;
  throw Error(ExitCode::data, "token id ", id, " is outside the vocabulary of ", vocab_size, " tokens");
}

// The name of a token that stands for one byte: <0x0A>.
inline std::string byte_piece(unsigned char byte) {
  constexpr std::string_view kDigits = "0123456789ABCDEF";
  return {'<', '0', 'x', kDigits[byte >> 4], kDigits[byte & 15], '>'};
}

}  // namespace peerless
