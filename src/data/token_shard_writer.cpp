#include <cstring>

#include "peerless/base/error.h"
#include "peerless/data/token_shard.h"
#include "src/data/token_shard_layout.h"

namespace peerless {
namespace {

using token_shard::bytes_of;
using token_shard::Head;
using token_shard::padded;
using token_shard::Trailer;

template <class Unsigned>
void append(std::vector<std::byte>& block, std::span<const TokenId> tokens) {
  const std::size_t at = block.size();
  block.resize(at + tokens.size() * sizeof(Unsigned));
  for (std::size_t i = 0; i < tokens.size(); ++i) {
    const auto token = static_cast<Unsigned>(tokens[i]);
    std::memcpy(block.data() + at + i * sizeof(Unsigned), &token, sizeof(Unsigned));
  }
}

std::span<const std::byte> padded_section(std::vector<std::uint64_t>& values) {
  values.resize(padded(values.size() * sizeof(values[0])) / sizeof(values[0]));
  return std::as_bytes(std::span(values));
}

}  // namespace

TokenizerInfo info_of(const Tokenizer& tokenizer) {
  return {tokenizer.digest(), tokenizer.vocab_size(), tokenizer.bos(), tokenizer.eos()};
}

TokenShardWriter::TokenShardWriter(Files& files, const std::filesystem::path& file, const TokenizerInfo& tokenizer)
    : file_(files.create(file)), tokenizer_(tokenizer), width_(tokenizer.vocab_size <= 65536 ? 2 : 4) {
  Head head;
  head.token_width = static_cast<std::uint32_t>(width_);
  head.vocab_size = static_cast<std::uint32_t>(tokenizer.vocab_size);
  head.bos = tokenizer.bos.value_or(-1);
  head.eos = tokenizer.eos.value_or(-1);
  head.tokenizer_high = tokenizer.digest.high;
  head.tokenizer_low = tokenizer.digest.low;
  head_checksum_ = checksum(bytes_of(head));
  file_->write(bytes_of(head));
  block_.reserve(TokenShard::kBlockBytes);
}

TokenShardWriter::~TokenShardWriter() = default;

void TokenShardWriter::add(std::span<const TokenId> tokens, std::uint64_t raw_bytes) {
  PEERLESS_CHECK(!tokens.empty(), "a document without a token");
  documents_.push_back(num_tokens_);
  documents_.push_back(raw_bytes);
  num_tokens_ += tokens.size();
  raw_bytes_ += raw_bytes;
  while (!tokens.empty()) {
    const auto room = (TokenShard::kBlockBytes - block_.size()) / width_;
    const auto part = tokens.first(std::min(room, tokens.size()));
    width_ == 2 ? append<std::uint16_t>(block_, part) : append<std::uint32_t>(block_, part);
    if (block_.size() == TokenShard::kBlockBytes) flush_block();
    tokens = tokens.subspan(part.size());
  }
}

void TokenShardWriter::flush_block() {
  checksums_.push_back(checksum(block_));
  file_->write(block_);
  block_.clear();
}

Digest TokenShardWriter::finish() {
  block_.resize(padded(block_.size()));
  if (!block_.empty()) flush_block();
  const auto num_documents = documents_.size() / 2;
  const auto documents = padded_section(documents_);
  const auto table = padded_section(checksums_);
  Trailer trailer{.num_tokens = num_tokens_,
                  .num_documents = num_documents,
                  .raw_bytes = raw_bytes_,
                  .head_checksum = head_checksum_,
                  .documents_checksum = checksum(documents),
                  .table_checksum = checksum(table)};
  trailer.own_checksum = token_shard::own_checksum(trailer);
  file_->write(documents);
  file_->write(table);
  file_->write(bytes_of(trailer));
  file_->sync();
  file_->close();
  return digest(bytes_of(trailer));
}

}  // namespace peerless
