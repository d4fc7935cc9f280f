#include "src/base/descriptor.h"

#include <fcntl.h>
#include <sys/stat.h>
#include <unistd.h>

#include <utility>

#include "peerless/base/files.h"

namespace peerless {

int Descriptor::release() { return std::exchange(descriptor_, -1); }

// Linux frees the descriptor even when close() reports EINTR: calling it again could close somebody else's.
int Descriptor::close() { return descriptor_ < 0 ? 0 : ::close(release()); }

OpenedFile open_regular_file(const std::filesystem::path& path) {
  // Without O_NONBLOCK a FIFO in the place of a file would block here.
  Descriptor descriptor(
      retry_interrupted([&] { return ::open(path.c_str(), O_RDONLY | O_NOCTTY | O_NONBLOCK | O_CLOEXEC); }));
  if (descriptor.get() < 0) {
    const bool busy = errno == EMFILE || errno == ENFILE || errno == ENOMEM || errno == EIO;
    throw IoError(busy ? ExitCode::io : ExitCode::no_input, "open", path, errno);
  }
  struct stat status;
  if (::fstat(descriptor.get(), &status) != 0) throw IoError(ExitCode::io, "open", path, errno);
  if (!S_ISREG(status.st_mode)) {
    throw IoError(ExitCode::data, "open what is no regular file", path, S_ISDIR(status.st_mode) ? EISDIR : EINVAL);
  }
  return {std::move(descriptor), static_cast<std::uint64_t>(status.st_size)};
}

}  // namespace peerless
