// A folder of token shards, filled under a temporary name and renamed when all is durable.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "peerless/data/prepare.h"
#include "peerless/data/token_shard.h"
#include "src/data/dataset_file.h"

namespace peerless {

// The right to write a folder, beside which it keeps a file that another process sees.
class FolderLock {
 public:
  FolderLock(Files& files, const std::filesystem::path& folder);
  ~FolderLock();

  void release();

 private:
  Files& files_;
  std::filesystem::path file_;
  std::unique_ptr<FileLock> lock_;
};

class SetWriter {
 public:
  // Error(output) when the folder is there, or another process writes it. `remark` goes behind "already there".
  SetWriter(Files& files, const std::filesystem::path& folder, const TokenizerInfo& tokenizer,
            std::int64_t shard_tokens, std::string_view remark);
  ~SetWriter();  // without commit(), nothing is left

  void add(std::span<const TokenId> tokens, std::uint64_t raw_bytes);
  const PreparedSet& summary() const { return summary_; }

  void finish(std::map<std::string, std::string> facts);  // everything but the name is final and durable
  void commit();

 private:
  void begin_shard();
  void finish_shard();

  Files& files_;
  std::filesystem::path folder_, parent_, temporary_;
  FolderLock lock_;
  TokenizerInfo tokenizer_;
  std::uint64_t shard_tokens_;
  std::optional<TokenShardWriter> shard_;
  std::string name_;  // of that shard
  Dataset dataset_;
  PreparedSet summary_;
};

}  // namespace peerless
