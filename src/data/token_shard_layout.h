// The fixed parts of a token shard as they lie in the file; docs/formats/token-shard.md has the whole.
#pragma once

#include <array>
#include <bit>
#include <cstdint>
#include <span>

#include "peerless/base/hash.h"

namespace peerless::token_shard {

static_assert(std::endian::native == std::endian::little, "token shards are read and written by memcpy");

constexpr std::array<char, 8> kMagic = {'P', 'L', 'T', 'O', 'K', 'E', 'N', 'S'};
constexpr std::array<char, 8> kEndMagic = {'P', 'L', 'T', 'O', 'K', 'E', 'N', 'Z'};
constexpr std::uint32_t kVersion = 1;
constexpr std::uint64_t kAlignment = 64;

struct Head {
  std::array<char, 8> magic = kMagic;
  std::uint32_t version = kVersion;
  std::uint32_t token_width = 0;  // bytes: 2 or 4
  std::uint32_t vocab_size = 0;
  std::int32_t bos = -1;  // -1: none
  std::int32_t eos = -1;
  std::uint32_t zero = 0;
  std::uint64_t tokenizer_high = 0, tokenizer_low = 0;
  std::array<std::uint64_t, 2> zeros = {};
};
static_assert(sizeof(Head) == 64);

struct Trailer {
  std::uint64_t num_tokens = 0;
  std::uint64_t num_documents = 0;
  std::uint64_t raw_bytes = 0;
  std::uint64_t head_checksum = 0;
  std::uint64_t documents_checksum = 0;  // of the section with its padding, like the next
  std::uint64_t table_checksum = 0;      // of the section of block checksums
  std::uint64_t own_checksum = 0;        // of the 48 bytes before
  std::array<char, 8> magic = kEndMagic;
};
static_assert(sizeof(Trailer) == 64);

constexpr std::uint64_t padded(std::uint64_t bytes) { return (bytes + kAlignment - 1) / kAlignment * kAlignment; }

template <class T>
std::span<const std::byte> bytes_of(const T& value) {
  return std::as_bytes(std::span(&value, 1));
}

inline std::uint64_t own_checksum(const Trailer& trailer) { return checksum(bytes_of(trailer).first(48)); }

}  // namespace peerless::token_shard
