// A file of tokenised documents, *.tok: written once, front to back, and never changed.
//
// Layout     docs/formats/token-shard.md: head, tokens (u16 or u32), documents (first token, raw bytes), a checksum per
//            MiB of tokens, trailer with the counts and the checksums of everything else.
// Checks     Opening verifies all but the tokens' checksums, which are verified when a block is first read, or all
//            at once by verify(). So each bit of the file is covered before it is used. If a later read of a
//            verified block returns wrong bytes, that goes unnoticed unless they form an id outside the vocabulary.
// Errors     data      wrong magic, version, size, checksum or count, a token id outside the vocabulary; with the file,
//                      what was expected and what was found; not a regular file
//            no_input  absent, unreadable
//            io        what is read later cannot be read, or has become shorter
// Memory     16 bytes for a document, 8 for a MiB of tokens; tokens stay on disk
// Threads    Reading is safe from many threads. A writer belongs to one.
#pragma once

#include <atomic>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/base/hash.h"
#include "peerless/text/tokenizer.h"

namespace peerless {

// Who made the tokens.
struct TokenizerInfo {
  Digest digest;
  std::int64_t vocab_size = 0;
  std::optional<TokenId> bos;  // stands before each document of the shard
  std::optional<TokenId> eos;  // stands after it
  bool operator==(const TokenizerInfo&) const = default;
};

TokenizerInfo info_of(const Tokenizer& tokenizer);

class TokenShardWriter {
 public:
  TokenShardWriter(Files& files, const std::filesystem::path& file, const TokenizerInfo& tokenizer);
  ~TokenShardWriter();

  // A document's tokens with its bos and eos, and the bytes of its text. Not empty.
  void add(std::span<const TokenId> tokens, std::uint64_t raw_bytes);
  std::uint64_t tokens() const { return num_tokens_; }
  Digest finish();  // the file is complete and durable (but for its folder's entry); its digest

 private:
  void write(std::span<const std::byte> bytes);
  void flush_block();

  std::unique_ptr<OutputFile> file_;
  TokenizerInfo tokenizer_;
  std::size_t width_;
  std::vector<std::byte> block_;
  std::vector<std::uint64_t> documents_;  // first token, raw bytes; first token, raw bytes; ...
  std::vector<std::uint64_t> checksums_;
  std::uint64_t head_checksum_ = 0, num_tokens_ = 0, raw_bytes_ = 0;
};

class TokenShard {
 public:
  static constexpr std::uint64_t kBlockBytes = 1 << 20;

  explicit TokenShard(const std::filesystem::path& file, const Files& files = disk());

  const std::filesystem::path& path() const { return path_; }
  const TokenizerInfo& tokenizer() const { return tokenizer_; }
  std::int64_t token_width() const { return static_cast<std::int64_t>(width_); }  // bytes
  std::uint64_t tokens() const { return num_tokens_; }
  std::uint64_t documents() const { return documents_.size() / 2; }
  std::uint64_t raw_bytes() const { return raw_bytes_; }
  Digest digest() const { return digest_; }  // of the content: head, checksums, counts

  std::uint64_t first_token(std::uint64_t document) const { return documents_[2 * document]; }
  std::uint64_t end_token(std::uint64_t document) const {
    return document + 1 < documents() ? first_token(document + 1) : num_tokens_;
  }
  std::uint64_t raw_bytes(std::uint64_t document) const { return documents_[2 * document + 1]; }
  // How many documents have their first token before `token`.
  std::uint64_t documents_before(std::uint64_t token) const;

  // The tokens [first, first + into.size()), each checked against the vocabulary.
  void copy(std::uint64_t first, std::span<std::int64_t> into) const;

  void verify() const;  // all checksums, all token ids, the bos and eos of all documents

 private:
  void check_borders(std::uint64_t document) const;
  void check_blocks(std::uint64_t first_byte, std::uint64_t end_byte) const;

  std::filesystem::path path_;
  std::unique_ptr<InputFile> file_;
  TokenizerInfo tokenizer_;
  std::size_t width_ = 0;
  std::uint64_t num_tokens_ = 0, raw_bytes_ = 0;
  Digest digest_;
  std::uint64_t tokens_size_ = 0;         // bytes, padded to 64
  std::vector<std::uint64_t> documents_;  // first token, raw bytes by turns
  std::vector<std::uint64_t> checksums_;
  std::unique_ptr<std::atomic<bool>[]> verified_;  // per block
};

}  // namespace peerless
