#pragma once

#include "peerless/text/tokenizer.h"

namespace peerless {

class ByteTokenizer final : public Tokenizer {
 public:
  static constexpr TokenId kBos = 256;
  static constexpr TokenId kEos = 257;

  std::string kind() const override { return "byte"; }
  std::int64_t vocab_size() const override { return 258; }
  std::optional<TokenId> bos() const override { return kBos; }
  std::optional<TokenId> eos() const override { return kEos; }
  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::string bytes(TokenId id) const override;
  std::string name(TokenId id) const override;
  Digest digest() const override;
  std::string losses() const override { return ""; }
};

}  // namespace peerless
