// Text <-> token ids.
//
// Kinds     sentencepiece  a SentencePiece model (sentencepiece.h), trained by us or by others
//           byte           a token per byte, 256 is the begin and 257 the end of a document; needs no model
// Lossless  When losses() is "", decode(encode(text)) == text for *every* string of bytes, and decode(ids) is the
//           concatenation of the tokens' bytes(). All tokenizers made here are lossless. Models of others may not be.
// Threads   All members may be called by many threads at once.
// Errors    no_input  the model is absent or unreadable
//           data      the model is truncated or corrupt; a token id is outside the vocabulary
#pragma once

#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <variant>
#include <vector>

#include "peerless/base/hash.h"
#include "peerless/config/field.h"

namespace peerless {

using TokenId = std::int32_t;

class Tokenizer {
 public:
  virtual ~Tokenizer() = default;

  virtual std::string kind() const = 0;            // as in the config; with the algorithm: "sentencepiece bpe"
  virtual std::int64_t vocab_size() const = 0;     // ids are 0 .. vocab_size - 1
  virtual std::optional<TokenId> bos() const = 0;  // stands before a document
  virtual std::optional<TokenId> eos() const = 0;  // stands after it

  // Neither begins with bos nor ends with eos, and holds none: no text is mistaken for a control token.
  virtual std::vector<TokenId> encode(std::string_view text) const = 0;
  virtual std::string decode(std::span<const TokenId> ids) const = 0;

  virtual std::string bytes(TokenId id) const = 0;  // what the token alone stands for; "" for control tokens
  virtual std::string name(TokenId id) const = 0;   // how the vocabulary calls it: "▁the", "<s>", "<0x0A>"

  virtual Digest digest() const = 0;       // of the model's bytes; of a fixed text for `byte`
  virtual std::string losses() const = 0;  // what a round trip may change, for people; "" when nothing
};

struct SentencePieceConfig {
  static constexpr std::string_view kind = "sentencepiece";
  std::string model;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("model", c.model, NotEmpty{},
          "file of the SentencePiece model; may be moved, but the content must not change", Resume::free);
  }
  bool operator==(const SentencePieceConfig&) const = default;
};

struct ByteConfig {
  static constexpr std::string_view kind = "byte";

  template <class Self, class Visit>
  static void fields(Self&, Visit&&) {}
  bool operator==(const ByteConfig&) const = default;
};

using TokenizerConfig = std::variant<SentencePieceConfig, ByteConfig>;

std::unique_ptr<Tokenizer> open_tokenizer(const TokenizerConfig& config);

// A text's tokens after the bos, as far as the tokenizer has one: what a model is asked to continue.
std::vector<TokenId> encode_prompt(const Tokenizer& tokenizer, std::string_view text);
// ... and before the eos: what a model is trained on and scored by.
std::vector<TokenId> encode_document(const Tokenizer& tokenizer, std::string_view text);

}  // namespace peerless
