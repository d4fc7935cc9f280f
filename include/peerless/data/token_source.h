// Token shards as one stream: a *.tok file, or a folder whose *.tok files follow each other in the order of their
// names.
//
// A shard's border is nothing special: samples reach over it. A folder written by `data prepare` lists its shards in
// dataset.json, and one that is missing, added or changed is an error.
//
// Errors   as TokenShard; data  shards of different tokenizers, or not those that dataset.json lists;
//          no_input  nothing there, or a folder without shards
// Threads  safe to read from many.
#pragma once

#include <cstdint>
#include <filesystem>
#include <memory>
#include <span>
#include <string>
#include <vector>

#include "peerless/base/hash.h"
#include "peerless/data/token_shard.h"

namespace peerless {

class TokenSource {
 public:
  explicit TokenSource(const std::filesystem::path& path, const Files& files = disk());

  const std::filesystem::path& path() const { return path_; }
  const TokenizerInfo& tokenizer() const { return shards_.front()->tokenizer(); }
  const std::vector<std::unique_ptr<TokenShard>>& shards() const { return shards_; }
  Digest digest() const;  // of the shards' digests, in order

  std::uint64_t tokens() const { return first_tokens_.back(); }
  std::uint64_t documents() const { return first_documents_.back(); }
  std::uint64_t raw_bytes() const;

  struct Document {
    std::uint64_t first_token;
    std::uint64_t tokens;
    std::uint64_t raw_bytes;
  };
  Document document(std::uint64_t index) const;

  // How many documents have their first token in [first, first + count).
  std::uint64_t documents_in(std::uint64_t first, std::uint64_t count) const;
  void copy(std::uint64_t first, std::span<std::int64_t> into) const;

  // Error(config) unless the tokens were made with this tokenizer.
  void expect(const TokenizerInfo& tokenizer) const;

 private:
  std::uint64_t documents_before(std::uint64_t token) const;

  std::filesystem::path path_;
  std::vector<std::unique_ptr<TokenShard>> shards_;
  std::vector<std::uint64_t> first_tokens_{0};     // of each shard; the total at the end
  std::vector<std::uint64_t> first_documents_{0};  // likewise
};

// Reads every byte at `path`, shard by shard on `threads` threads, and tells what is wrong with each bad one, a line
// each; when all are good, what is wrong among them. Where one could not be read, all lines are in the Error instead.
std::vector<std::string> faults(const std::filesystem::path& path, std::int64_t threads);

}  // namespace peerless
