// A file of a checkpoint, of which no byte is handed out before the checksum of its block is compared.
//
// Cost     whole blocks of 1 MiB are read, straight into the reader's memory where it wants all of one. The last other
//          one is kept: runs in ascending order read each block once
// Errors   Error(data): which bytes of which file have changed, or are lost to the disk, which is asked twice; IoError
//          when they cannot be read now, whatever they are
// Threads  one
#pragma once

#include <filesystem>
#include <span>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/checkpoint/manifest.h"

namespace peerless {

// What a bad sector, a file cut short, or a file system whose own data are damaged gives. Any other failure to read (no
// memory, too many open files) says nothing about the file.
bool is_of_the_disk(const IoError& error);

// What `read` returns. A disk that fails once may have had its reason: it is asked twice before what it cannot give
// back counts as damage, Error(data).
template <class Read>
auto ask_twice(const Read& read) {
  for (bool again = false;; again = true) {
    try {
      return read();
    } catch (const IoError& error) {
      if (!is_of_the_disk(error)) throw;
      if (again) throw Error(ExitCode::data, error.what());
    }
  }
}

class BlockReader final : public InputFile {
 public:
  // What is passed by reference outlives it. Without checksums (of version 1) it hands out what it reads.
  BlockReader(const InputFile& file, const StoredFile& stored, std::filesystem::path path);

  std::uint64_t size() const override { return stored_.bytes; }
  void read(std::uint64_t offset, std::span<std::byte> into) const override;

  // Reads all, and compares the digest of the whole too.
  void verify() const;

 private:
  std::uint64_t end_of(std::uint64_t block) const;
  void read_block(std::uint64_t block, std::span<std::byte> into) const;
  std::span<const std::byte> cached(std::uint64_t block) const;

  const InputFile& file_;
  const StoredFile& stored_;
  std::filesystem::path path_;
  mutable std::vector<std::byte> cache_;
  mutable std::uint64_t cached_ = ~std::uint64_t{0};  // the number of the block in it
};

}  // namespace peerless
