#include "peerless/text/tokenizer.h"

#include "peerless/text/sentencepiece.h"
#include "src/text/byte_tokenizer.h"

namespace peerless {
namespace {

std::unique_ptr<Tokenizer> open(const SentencePieceConfig& config) { return open_sentencepiece(config.model); }
std::unique_ptr<Tokenizer> open(const ByteConfig&) { return std::make_unique<ByteTokenizer>(); }

}  // namespace

std::unique_ptr<Tokenizer> open_tokenizer(const TokenizerConfig& config) {
  return std::visit([](const auto& kind) { return open(kind); }, config);
}

std::vector<TokenId> encode_prompt(const Tokenizer& tokenizer, std::string_view text) {
  const auto tokens = tokenizer.encode(text);
  std::vector<TokenId> prompt;
  prompt.reserve(tokens.size() + 2);  // with the eos, where it becomes a document
  if (tokenizer.bos()) prompt.push_back(*tokenizer.bos());
  prompt.insert(prompt.end(), tokens.begin(), tokens.end());
  return prompt;
}

std::vector<TokenId> encode_document(const Tokenizer& tokenizer, std::string_view text) {
  auto document = encode_prompt(tokenizer, text);
  if (tokenizer.eos()) document.push_back(*tokenizer.eos());
  return document;
}

}  // namespace peerless
