#include "src/checkpoint/block_reader.h"

#include <algorithm>
#include <array>
#include <cerrno>
#include <utility>

namespace peerless {
namespace {

constexpr std::uint64_t kBlock = StoredFile::kBlockBytes;

}  // namespace

bool is_of_the_disk(const IoError& error) {
  constexpr std::array kDamage{0, EIO, EUCLEAN, EBADMSG};
  return std::ranges::find(kDamage, error.system_error()) != kDamage.end();
}

BlockReader::BlockReader(const InputFile& file, const StoredFile& stored, std::filesystem::path path)
    : file_(file), stored_(stored), path_(std::move(path)) {}

void BlockReader::read(std::uint64_t offset, std::span<std::byte> into) const {
  if (stored_.blocks.empty()) return ask_twice([&] { file_.read(offset, into); });
  while (!into.empty()) {
    const auto block = offset / kBlock, begin = block * kBlock, size = end_of(block) - begin;
    const auto part = std::min(into.size(), end_of(block) - offset);
    if (part == size)
      read_block(block, into.first(size));
    else
      std::ranges::copy(cached(block).subspan(offset - begin, part), into.begin());
    into = into.subspan(part);
    offset += part;
  }
}

void BlockReader::verify() const {
  Hasher hasher;
  std::vector<std::byte> bytes(std::min(kBlock, stored_.bytes));
  for (std::uint64_t offset = 0; offset < stored_.bytes; offset += bytes.size()) {
    bytes.resize(std::min(kBlock, stored_.bytes - offset));
    read(offset, bytes);
    hasher.update(bytes);
  }
  if (const auto found = hasher.digest(); found != stored_.digest)
    throw Error(ExitCode::data, printable(path_.string()), ": changed since it was written: expected XXH3 ",
                stored_.digest.hex(), ", found ", found.hex());
}

std::uint64_t BlockReader::end_of(std::uint64_t block) const { return std::min((block + 1) * kBlock, stored_.bytes); }

void BlockReader::read_block(std::uint64_t block, std::span<std::byte> into) const {
  const auto begin = block * kBlock;
  ask_twice([&] { file_.read(begin, into); });
  if (checksum(into) != stored_.blocks[block])
    throw Error(ExitCode::data, printable(path_.string()), ": changed since it was written, at bytes ", begin, " to ",
                end_of(block));
}

std::span<const std::byte> BlockReader::cached(std::uint64_t block) const {
  if (cached_ != block) {
    cached_ = ~std::uint64_t{0};
    cache_.resize(end_of(block) - block * kBlock);
    read_block(block, cache_);
    cached_ = block;
  }
  return cache_;
}

}  // namespace peerless
