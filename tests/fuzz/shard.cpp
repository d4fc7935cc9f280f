// A token shard from anywhere, as it is and with its checksums made right, for chance never would.
#include <cstring>
#include <vector>

#include "peerless/data/token_shard.h"
#include "src/data/token_shard_layout.h"
#include "tests/fuzz/targets.h"
#include "tests/support/memory_files.h"

namespace peerless::fuzz {
namespace {

using token_shard::Head;
using token_shard::padded;
using token_shard::Trailer;

std::vector<std::uint8_t> with_checksums(Bytes bytes) {
  std::vector<std::uint8_t> all(bytes.begin(), bytes.end());
  if (all.size() < sizeof(Head) + sizeof(Trailer)) return all;
  Head head;
  Trailer trailer;
  std::memcpy(&head, all.data(), sizeof(Head));
  auto* const trailer_at = all.data() + all.size() - sizeof(Trailer);
  std::memcpy(&trailer, trailer_at, sizeof(Trailer));
  head.magic = token_shard::kMagic;
  trailer.magic = token_shard::kEndMagic;

  const auto between = std::as_writable_bytes(std::span(all)).subspan(sizeof(Head), all.size() - sizeof(Head) - 64);
  const auto tokens = padded(trailer.num_tokens * head.token_width), documents = padded(trailer.num_documents * 16);
  const auto blocks = (tokens + TokenShard::kBlockBytes - 1) / TokenShard::kBlockBytes;
  const auto fits = [&](std::uint64_t size) { return size <= between.size(); };
  if (fits(tokens) && fits(documents) && fits(blocks * 8) && fits(tokens + documents + padded(blocks * 8))) {
    for (std::uint64_t i = 0; i < blocks; ++i) {
      const auto begin = i * TokenShard::kBlockBytes;
      const auto sum = checksum(between.subspan(begin, std::min(TokenShard::kBlockBytes, tokens - begin)));
      std::memcpy(between.data() + tokens + documents + i * 8, &sum, 8);
    }
    trailer.documents_checksum = checksum(between.subspan(tokens, documents));
    trailer.table_checksum = checksum(between.subspan(tokens + documents, padded(blocks * 8)));
  }
  trailer.head_checksum = checksum(token_shard::bytes_of(head));
  trailer.own_checksum = token_shard::own_checksum(trailer);
  std::memcpy(all.data(), &head, sizeof(Head));
  std::memcpy(trailer_at, &trailer, sizeof(Trailer));
  return all;
}

void check_documents(const TokenShard& found) {
  PEERLESS_CHECK(found.documents() > 0 && found.tokens() > 0, "nothing in it");
  std::uint64_t next = 0, raw_bytes = 0;
  for (std::uint64_t i = 0; i < found.documents(); ++i) {
    PEERLESS_CHECK(found.first_token(i) == next && found.end_token(i) > next, "document ", i);
    PEERLESS_CHECK(found.documents_before(next) == i, "document ", i);
    next = found.end_token(i);
    PEERLESS_CHECK(!__builtin_add_overflow(raw_bytes, found.raw_bytes(i), &raw_bytes), "more than 2^64 raw bytes");
  }
  PEERLESS_CHECK(next == found.tokens() && raw_bytes == found.raw_bytes(), "the sums");
}

bool open(Bytes bytes) {
  MemoryFiles files;
  files.put("/00000.tok", std::string(text_of(bytes)));
  return accepts(ExitCode::data, [&] {
    const TokenShard found("/00000.tok", files);
    check_documents(found);
    std::vector<std::int64_t> tokens(found.tokens());
    if (accepts(ExitCode::data, [&] { found.copy(0, tokens); })) {
      for (const auto token : tokens)
        PEERLESS_CHECK(token >= 0 && token < found.tokenizer().vocab_size, "token ", token);
    }
    found.verify();
  });
}

}  // namespace

bool shard(Bytes bytes) {
  open(bytes);
  return open(with_checksums(bytes));
}

}  // namespace peerless::fuzz
