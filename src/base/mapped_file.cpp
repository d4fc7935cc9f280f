#include "peerless/base/mapped_file.h"

#include <sys/mman.h>

#include <cerrno>
#include <utility>

#include "peerless/base/files.h"
#include "src/base/descriptor.h"

namespace peerless {

MappedFile::MappedFile(const std::filesystem::path& path) {
  const auto [descriptor, size] = open_regular_file(path);
  if (size == 0) return;  // mmap refuses an empty range
  void* const begin = ::mmap(nullptr, size, PROT_READ, MAP_SHARED, descriptor.get(), 0);
  if (begin == MAP_FAILED) throw IoError(ExitCode::io, "map", path, errno);
  bytes_ = {static_cast<std::byte*>(begin), size};
}

MappedFile::~MappedFile() {
  if (!bytes_.empty()) ::munmap(bytes_.data(), bytes_.size());
}

MappedFile::MappedFile(MappedFile&& other) noexcept : bytes_(std::exchange(other.bytes_, {})) {}

MappedFile& MappedFile::operator=(MappedFile&& other) noexcept {
  std::swap(bytes_, other.bytes_);
  return *this;
}

}  // namespace peerless
