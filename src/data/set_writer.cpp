#include "src/data/set_writer.h"

#include <unistd.h>

#include <utility>

namespace peerless {

using Path = std::filesystem::path;

FolderLock::FolderLock(Files& files, const Path& folder) : files_(files), file_(hidden_beside(folder, ".lock")) {
  make_folders(files_, folder_of(folder));
  sync_way_to(files_, folder);
  lock_ = files_.lock(file_, concat("data prepare of ", folder, ", process ", ::getpid()));
}

// The file goes before the lock: who locked it in between would hold nothing that the next one sees.
void FolderLock::release() {
  if (!lock_) return;
  files_.remove(file_);
  lock_.reset();
}

FolderLock::~FolderLock() {
  try {
    release();
  } catch (const std::exception&) {  // a file that nobody holds is in nobody's way
  }
}

SetWriter::SetWriter(Files& files, const Path& folder, const TokenizerInfo& tokenizer, std::int64_t shard_tokens,
                     std::string_view remark)
    : files_(files),
      folder_(without_slash(folder)),
      parent_(folder_of(folder_)),
      temporary_(hidden_beside(folder_, ".partial")),
      lock_(files, folder_),
      tokenizer_(tokenizer),
      shard_tokens_(static_cast<std::uint64_t>(shard_tokens)) {
  if (exists(files_, folder_)) throw Error(ExitCode::output, folder_, ": already there", remark);
  remove_tree(files_, temporary_);  // of an attempt that died
  files_.make_folder(temporary_);
}

SetWriter::~SetWriter() {
  try {
    shard_.reset();
    remove_tree(files_, temporary_);
  } catch (const std::exception&) {  // the next attempt removes it
  }
}

void SetWriter::add(std::span<const TokenId> tokens, std::uint64_t raw_bytes) {
  if (shard_ && shard_->tokens() + tokens.size() > shard_tokens_) finish_shard();
  if (!shard_) begin_shard();
  shard_->add(tokens, raw_bytes);
  auto& facts = dataset_.shards[name_];
  facts.tokens += tokens.size();
  facts.documents += 1;
  facts.raw_bytes += raw_bytes;
  summary_.tokens += std::ssize(tokens);
  summary_.documents += 1;
  summary_.raw_bytes += static_cast<std::int64_t>(raw_bytes);
}

void SetWriter::finish(std::map<std::string, std::string> facts) {
  if (shard_) finish_shard();
  dataset_.facts = std::move(facts);
  write_dataset(files_, temporary_, dataset_);
  files_.sync_folder(temporary_);
}

void SetWriter::commit() {
  files_.rename(temporary_, folder_);
  lock_.release();
  files_.sync_folder(parent_);
}

void SetWriter::begin_shard() {
  name_ = zero_padded(std::ssize(dataset_.shards), 5) + ".tok";
  shard_.emplace(files_, temporary_ / name_, tokenizer_);
  summary_.shards += 1;
}

void SetWriter::finish_shard() {
  dataset_.shards[name_].digest = shard_->finish();
  shard_.reset();
}

}  // namespace peerless
