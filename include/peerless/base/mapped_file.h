// A file's content in memory without reading it: pages come from the page cache as they are touched.
//
// Errors   IoError as `Files::open`. Whoever truncates the file while it is mapped kills its readers (SIGBUS), so map
//          only files that are written once.
// Threads  safe to read from many.
#pragma once

#include <cstddef>
#include <filesystem>
#include <span>

namespace peerless {

class MappedFile {
 public:
  explicit MappedFile(const std::filesystem::path& path);  // a regular file, mapped whole and read-only
  ~MappedFile();
  MappedFile(MappedFile&& other) noexcept;
  MappedFile& operator=(MappedFile&& other) noexcept;

  std::span<const std::byte> bytes() const { return bytes_; }

 private:
  std::span<std::byte> bytes_;
};

}  // namespace peerless
