// A SentencePiece model from anywhere: opened, and if that goes well, used.
#include "peerless/text/sentencepiece.h"

#include "tests/fuzz/targets.h"

namespace peerless::fuzz {
namespace {

void use(const Tokenizer& tokenizer, std::string_view text) {
  accepts(ExitCode::data, [&] {
    const auto ids = tokenizer.encode(text);
    for (const auto id : ids) PEERLESS_CHECK(id >= 0 && id < tokenizer.vocab_size(), "token ", id);
    const auto back = tokenizer.decode(ids);
    PEERLESS_CHECK(!tokenizer.losses().empty() || back == text, "lossless, and gives back ", back);
  });
}

}  // namespace

bool sentencepiece(Bytes bytes) {
  std::unique_ptr<Tokenizer> tokenizer;
  if (!accepts(ExitCode::data, [&] { tokenizer = parse_sentencepiece(std::string(text_of(bytes)), "m.model"); }))
    return false;
  PEERLESS_CHECK(tokenizer->vocab_size() > 0 && !tokenizer->kind().empty(), "a vocabulary of no tokens");
  for (const auto id : {tokenizer->bos(), tokenizer->eos()})
    PEERLESS_CHECK(!id || (*id >= 0 && *id < tokenizer->vocab_size()), "control token ", *id);
  constexpr std::string_view kText("The  cat\n\tsat\0 \xE2\x96\x81\xFF\xC3\xA9 \xEF\xAC\x81 \xE3\x80\x80", 28);
  use(*tokenizer, kText);
  const auto last = static_cast<TokenId>(tokenizer->vocab_size() - 1);
  use(*tokenizer, concat(tokenizer->name(last), tokenizer->bytes(last), tokenizer->name(0)));
  return true;
}

}  // namespace peerless::fuzz
