// Owned file descriptors, for the two files of this room that talk to the operating system.
#pragma once

#include <cerrno>
#include <cstdint>
#include <filesystem>

namespace peerless {

// Closes what it holds; -1 holds nothing.
class Descriptor {
 public:
  explicit Descriptor(int descriptor = -1) : descriptor_(descriptor) {}
  ~Descriptor() { close(); }
  Descriptor(Descriptor&& other) noexcept : descriptor_(other.release()) {}
  Descriptor& operator=(Descriptor&&) = delete;

  int get() const { return descriptor_; }
  int close();  // what ::close says; 0 when there is nothing to close

 private:
  int release();

  int descriptor_;
};

// The result of a system call, called again while a signal interrupts it.
template <class Call>
auto retry_interrupted(const Call& call) {
  auto result = call();
  while (result == -1 && errno == EINTR) result = call();
  return result;
}

struct OpenedFile {
  Descriptor descriptor;
  std::uint64_t size;
};

// Opens a regular file for reading; IoError with ExitCode::no_input when it is absent or unreadable, data when it is of
// another kind.
OpenedFile open_regular_file(const std::filesystem::path& path);

}  // namespace peerless
