#include "src/text/byte_tokenizer.h"

#include "src/text/vocabulary.h"

namespace peerless {

std::vector<TokenId> ByteTokenizer::encode(std::string_view text) const {
  std::vector<TokenId> ids;
  ids.reserve(text.size());
  for (const char c : text) ids.push_back(static_cast<unsigned char>(c));
  return ids;
}

std::string ByteTokenizer::decode(std::span<const TokenId> ids) const {
  std::string text;
  text.reserve(ids.size());
  for (const TokenId id : ids) text += bytes(id);
  return text;
}

std::string ByteTokenizer::bytes(TokenId id) const {
  check_token(id, vocab_size());
  return id < kBos ? std::string(1, static_cast<char>(id)) : "";
}

std::string ByteTokenizer::name(TokenId id) const {
  check_token(id, vocab_size());
  if (id == kBos) return "<s>";
  if (id == kEos) return "</s>";
  return byte_piece(static_cast<unsigned char>(id));
}

Digest ByteTokenizer::digest() const { return peerless::digest("peerless byte tokenizer 1: bytes, 256 bos, 257 eos"); }

}  // namespace peerless
