#include <dirent.h>
#include <fcntl.h>
#include <sys/file.h>
#include <sys/stat.h>
#include <sys/statvfs.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstdio>

#include "peerless/base/files.h"
#include "src/base/descriptor.h"

namespace peerless {
namespace {

using Path = Files::Path;

constexpr mode_t kFileMode = 0640;
constexpr mode_t kFolderMode = 0750;
constexpr std::string_view kCannotSync =
    "sync the folder (its file system cannot, so nothing there is durable; take another)";

// Whether a new entry has our mode, or that of all entries: some file systems show one owner for everything, who need
// not be this user.
bool has_mode(int result) { return result == 0 || errno == EPERM; }

// A new file with our rights and not those of the umask. None, and errno, where it cannot be had.
Descriptor make(const Path& file, int flags) {
  Descriptor made(retry_interrupted([&] { return ::open(file.c_str(), flags | O_CREAT | O_EXCL, kFileMode); }));
  return made.get() < 0 || has_mode(::fchmod(made.get(), kFileMode)) ? std::move(made) : Descriptor();
}

// The file that is there, or a new one.
Descriptor open_or_make(const Path& file, int flags) {
  for (;;) {
    Descriptor made = make(file, flags);
    if (made.get() >= 0 || errno != EEXIST) return made;
    Descriptor there(retry_interrupted([&] { return ::open(file.c_str(), flags); }));
    if (there.get() >= 0 || errno != ENOENT) return there;  // it may be gone meanwhile
  }
}

FileInfo info_of(const struct stat& status) {
  using Kind = FileInfo::Kind;
  const Kind kind = S_ISREG(status.st_mode)   ? Kind::file
                    : S_ISDIR(status.st_mode) ? Kind::folder
                    : S_ISLNK(status.st_mode) ? Kind::link
                                              : Kind::other;
  const auto user = ::geteuid();
  return {.kind = kind,
          .size = static_cast<std::uint64_t>(status.st_size),
          .owner = status.st_uid,
          .is_strangers = user != 0 && user != status.st_uid,
          .is_open_to_all = kind != Kind::link && (status.st_mode & S_IWOTH) != 0};
}

class DiskOutput : public OutputFile {
 public:
  DiskOutput(Path path, Descriptor descriptor) : path_(std::move(path)), descriptor_(std::move(descriptor)) {}

  void reserve(std::uint64_t bytes) override {
    if (bytes == 0) return;
    const auto allocate = [&] {
      return ::fallocate(descriptor_.get(), FALLOC_FL_KEEP_SIZE, 0, static_cast<off_t>(bytes));
    };
    if (retry_interrupted(allocate) != 0 && errno != EOPNOTSUPP && errno != ENOSYS) {
      fail(concat("reserve ", human_bytes(static_cast<double>(bytes))));
    }
  }

  void write(std::span<const std::byte> bytes) override {
    while (!bytes.empty()) {
      const auto written = retry_interrupted([&] { return ::write(descriptor_.get(), bytes.data(), bytes.size()); });
      if (written < 0) fail(concat("write ", bytes.size(), " bytes"));
      bytes = bytes.subspan(static_cast<std::size_t>(written));
    }
  }

  // Never repeated: after one failure the kernel may call the lost pages clean, and a second fsync would succeed.
  void sync() override {
    if (::fsync(descriptor_.get()) != 0) fail("sync");
  }

  void uncache() override { ::posix_fadvise(descriptor_.get(), 0, 0, POSIX_FADV_DONTNEED); }

  FileInfo info() const override {
    struct stat status;
    if (::fstat(descriptor_.get(), &status) != 0) fail("look up");
    return info_of(status);
  }

  void close() override {
    if (descriptor_.close() != 0) fail("close");
  }

 private:
  [[noreturn]] void fail(std::string_view operation) const { throw IoError(ExitCode::io, operation, path_, errno); }

  Path path_;
  Descriptor descriptor_;
};

class DiskInput : public InputFile {
 public:
  explicit DiskInput(Path path) : path_(std::move(path)), file_(open_regular_file(path_)) {}

  std::uint64_t size() const override { return file_.size; }

  void read(std::uint64_t offset, std::span<std::byte> into) const override {
    while (!into.empty()) {
      const auto got = retry_interrupted(
          [&] { return ::pread(file_.descriptor.get(), into.data(), into.size(), static_cast<off_t>(offset)); });
      if (got <= 0) {
        throw IoError(ExitCode::io, concat("read ", into.size(), " bytes at offset ", offset), path_,
                      got < 0 ? errno : 0);
      }
      into = into.subspan(static_cast<std::size_t>(got));
      offset += static_cast<std::uint64_t>(got);
    }
  }

 private:
  Path path_;
  OpenedFile file_;
};

class DiskLock : public FileLock {
 public:
  explicit DiskLock(Descriptor descriptor) : descriptor_(std::move(descriptor)) {}

  static std::unique_ptr<FileLock> take(const Path& path, std::string_view holder) {
    auto descriptor = open_and_lock(path);
    if (descriptor.get() < 0) return nullptr;
    // Whose it is serves messages alone: a full disk must not keep a run from starting.
    if (::ftruncate(descriptor.get(), 0) == 0) {
      [[maybe_unused]] const auto written = ::pwrite(descriptor.get(), holder.data(), holder.size(), 0);
    }
    return std::make_unique<DiskLock>(std::move(descriptor));
  }

 private:
  static constexpr int kFlags = O_RDWR | O_NOFOLLOW | O_CLOEXEC;
  static constexpr int kAttempts = 100;  // a file system may give a file other numbers each time it is asked

  // None where the file system knows no locks. Again where the holder before removed the file meanwhile: who comes next
  // would make and lock another one.
  static Descriptor open_and_lock(const Path& path) {
    for (int attempt = 0; attempt < kAttempts; ++attempt) {
      Descriptor descriptor = open_or_make(path, kFlags);
      if (descriptor.get() < 0) throw IoError(code_of_making(errno), "lock", path, errno);
      if (retry_interrupted([&] { return ::flock(descriptor.get(), LOCK_EX | LOCK_NB); }) != 0) {
        if (errno == ENOSYS || errno == EOPNOTSUPP || errno == ENOLCK) return Descriptor();
        if (errno != EWOULDBLOCK) throw IoError(ExitCode::io, "lock", path, errno);
        throw Error(ExitCode::output, printable(path.parent_path().string()), ": in use by ",
                    printable(content(descriptor)));
      }
      if (is_still_at(path, descriptor)) return descriptor;
    }
    throw Error(ExitCode::output, printable(path.string()), ": cannot lock: it is another file each time it is opened");
  }

  static bool is_still_at(const Path& path, const Descriptor& descriptor) {
    struct stat locked, named;
    return ::fstat(descriptor.get(), &locked) == 0 && ::lstat(path.c_str(), &named) == 0 &&
           locked.st_dev == named.st_dev && locked.st_ino == named.st_ino;
  }

  static std::string content(const Descriptor& descriptor) {
    std::array<char, 256> text;
    const auto size = ::pread(descriptor.get(), text.data(), text.size(), 0);
    return size > 0 ? std::string(text.data(), static_cast<std::size_t>(size)) : "another process";
  }

  Descriptor descriptor_;
};

class Disk : public Files {
 public:
  std::unique_ptr<OutputFile> create(const Path& file) override {
    Descriptor descriptor = make(file, kOutput);
    if (descriptor.get() < 0) throw IoError(code_of_making(errno), "create", file, errno);
    return std::make_unique<DiskOutput>(file, std::move(descriptor));
  }

  std::unique_ptr<OutputFile> append(const Path& file) override {
    Descriptor descriptor = open_or_make(file, kOutput | O_APPEND);
    if (descriptor.get() < 0) throw IoError(code_of_making(errno), "append", file, errno);
    return std::make_unique<DiskOutput>(file, std::move(descriptor));
  }

  void make_folder(const Path& folder) override {
    if (::mkdir(folder.c_str(), kFolderMode) != 0 || !has_mode(::chmod(folder.c_str(), kFolderMode))) {
      throw IoError(code_of_making(errno), "make the folder", folder, errno);
    }
  }

  void rename(const Path& from, const Path& to) override {
    if (::rename(from.c_str(), to.c_str()) != 0) {
      throw IoError(code_of_making(errno), concat("rename to ", printable(to.string())), from, errno);
    }
  }

  void remove(const Path& entry) override {
    if (std::remove(entry.c_str()) != 0) throw IoError(ExitCode::io, "remove", entry, errno);
  }

  void truncate(const Path& file, std::uint64_t size) override {
    const auto cut = [&] { return ::truncate(file.c_str(), static_cast<off_t>(size)); };
    if (retry_interrupted(cut) != 0) throw IoError(ExitCode::io, concat("truncate to ", size, " bytes"), file, errno);
  }

  void sync_folder(const Path& folder) override {
    const Descriptor descriptor(::open(folder.c_str(), O_RDONLY | O_DIRECTORY | O_CLOEXEC));
    if (descriptor.get() >= 0 && ::fsync(descriptor.get()) == 0) return;
    const bool impossible = descriptor.get() >= 0 && errno == EINVAL;
    throw IoError(ExitCode::io, impossible ? kCannotSync : "sync", folder, errno);
  }

  std::unique_ptr<FileLock> lock(const Path& file, std::string_view holder) override {
    return DiskLock::take(file, holder);
  }

  std::unique_ptr<InputFile> open(const Path& file) const override { return std::make_unique<DiskInput>(file); }

  std::vector<std::string> list(const Path& folder) const override {
    const std::unique_ptr<DIR, int (*)(DIR*)> stream(::opendir(folder.c_str()), ::closedir);
    if (!stream) throw IoError(code_of_reading(errno), "list", folder, errno);
    std::vector<std::string> names;
    errno = 0;
    while (const dirent* entry = ::readdir(stream.get())) {
      const std::string_view name = entry->d_name;
      if (name != "." && name != "..") names.emplace_back(name);
    }
    if (errno != 0) throw IoError(ExitCode::io, "list", folder, errno);
    std::sort(names.begin(), names.end());
    return names;
  }

  std::optional<FileInfo> info(const Path& entry) const override {
    struct stat status;
    if (::lstat(entry.c_str(), &status) != 0) {
      if (errno == ENOENT || errno == ENOTDIR) return std::nullopt;
      throw IoError(code_of_reading(errno), "look up", entry, errno);
    }
    return info_of(status);
  }

  std::uint64_t free_bytes(const Path& folder) const override {
    struct statvfs status;
    if (::statvfs(folder.c_str(), &status) != 0) throw IoError(ExitCode::io, "look up free space", folder, errno);
    return static_cast<std::uint64_t>(status.f_bavail) * status.f_frsize;
  }

 private:
  static constexpr int kOutput = O_WRONLY | O_NOFOLLOW | O_CLOEXEC;
};

}  // namespace

ExitCode code_of_making(int system_error) {
  switch (system_error) {
    case EACCES:
    case EEXIST:
    case EISDIR:
    case ELOOP:
    case ENAMETOOLONG:
    case ENOENT:
    case ENOTDIR:
    case ENOTEMPTY:
    case EPERM:
    case EROFS:
      return ExitCode::output;
    default:
      return ExitCode::io;
  }
}

ExitCode code_of_reading(int system_error) {
  const bool absent = code_of_making(system_error) == ExitCode::output;
  return absent ? ExitCode::no_input : ExitCode::io;
}

bool is_folder(const Path& entry) {
  struct stat status;
  if (::stat(entry.c_str(), &status) == 0) return S_ISDIR(status.st_mode);
  if (errno == ENOENT || errno == ENOTDIR) return false;
  throw IoError(code_of_reading(errno), "look up", entry, errno);
}

Files& disk() {
  static Disk instance;
  return instance;
}

}  // namespace peerless
