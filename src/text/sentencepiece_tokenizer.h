#pragma once

#include <sentencepiece_processor.h>

#include <array>
#include <memory>
#include <mutex>
#include <string>
#include <unordered_map>
#include <vector>

#include "peerless/text/tokenizer.h"
#include "src/text/model_file.h"

namespace peerless {

class SentencePieceTokenizer final : public Tokenizer {
 public:
  SentencePieceTokenizer(std::string model, std::string name);

  std::string kind() const override;
  std::int64_t vocab_size() const override { return static_cast<std::int64_t>(file_.pieces.size()); }
  std::optional<TokenId> bos() const override { return control(processor_.bos_id()); }
  std::optional<TokenId> eos() const override { return control(processor_.eos_id()); }
  std::vector<TokenId> encode(std::string_view text) const override;
  std::string decode(std::span<const TokenId> ids) const override;
  std::string bytes(TokenId id) const override;
  std::string name(TokenId id) const override;
  Digest digest() const override { return digest_; }
  std::string losses() const override;

 private:
  // The ids of words seen before. Borrowed by one encode() at a time, so that threads share no lock but the pool's.
  class WordCache {
   public:
    const std::vector<TokenId>* find(std::string_view word) const;
    void add(std::string_view word, const std::vector<TokenId>& ids);

   private:
    struct Hash {
      using is_transparent = void;
      std::size_t operator()(std::string_view word) const { return std::hash<std::string_view>()(word); }
    };
    std::unordered_map<std::string, std::vector<TokenId>, Hash, std::equal_to<>> ids_;
  };

  static std::optional<TokenId> control(int id) { return id < 0 ? std::nullopt : std::optional<TokenId>(id); }
  std::vector<TokenId> encode_plainly(std::string_view text) const;
  std::unique_ptr<WordCache> borrow_cache() const;
  std::string_view next_word(std::string_view text) const;

  std::string name_;
  Digest digest_;
  ModelFile file_;
  sentencepiece::SentencePieceProcessor processor_;
  bool lossless_ = false;
  bool word_by_word_ = false;            // no piece reaches over the start of a word
  std::vector<std::string> bytes_;       // of each token
  std::array<TokenId, 256> byte_ids_{};  // only of a lossless model

  mutable std::mutex mutex_;
  mutable std::vector<std::unique_ptr<WordCache>> caches_;
};

}  // namespace peerless
