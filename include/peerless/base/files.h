// The file system as the program uses it. Every durable write goes through a `Files`, so that tests can fail, delay,
// cut or forget any single operation (leveldb's Env, for the operations that the commit protocol needs).
//
// Errors   IoError: "PATH: cannot OPERATION: the system's reason". ExitCode: no_input where a file to be read is
//          absent or unreadable, data where it is no regular file, output where a new file or folder cannot be made
//          (permission, exists, not a folder), io for everything else (disk full, read and write errors).
// Threads  a Files may be used by many threads; one OutputFile by one at a time.
#pragma once

#include <cstddef>
#include <cstdint>
#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/base/error.h"

namespace peerless {

class IoError : public Error {
 public:
  IoError(ExitCode code, std::string_view operation, const std::filesystem::path& path, int system_error);
  int system_error() const { return system_error_; }  // an errno value; 0: the file ended early

 private:
  int system_error_;
};

// Its code where a file or folder was to be made (output: another place or more rights may mend it) or to be read.
ExitCode code_of_making(int system_error);
ExitCode code_of_reading(int system_error);

struct FileInfo {
  enum class Kind { file, folder, link, other } kind;  // of the entry itself: links are not followed
  std::uint64_t size;
  std::uint32_t owner = 0;
  bool is_strangers = false;    // another user's, and this process is not root's
  bool is_open_to_all = false;  // whoever likes may write it; a sticky bit changes nothing of that
};

class OutputFile {
 public:
  virtual ~OutputFile() = default;  // closes; what was not synced may be lost

  // Takes the disk space of the first `bytes` bytes now, so that a full disk is met here and not midway. The file's
  // size stays; a file system without such an operation promises nothing.
  virtual void reserve(std::uint64_t bytes) = 0;
  virtual void write(std::span<const std::byte> bytes) = 0;
  virtual void sync() = 0;  // returns once the bytes survive a loss of power; after an error, abandon the file
  // A hint that synced bytes need not stay cached, so that the next read comes from the disk. Never fails.
  virtual void uncache() = 0;
  virtual FileInfo info() const = 0;
  virtual void close() = 0;  // reports errors that a destructor must swallow

  void write(std::string_view text) { write(std::as_bytes(std::span(text))); }
};

class InputFile {
 public:
  virtual ~InputFile() = default;
  virtual std::uint64_t size() const = 0;
  virtual void read(std::uint64_t offset, std::span<std::byte> into) const = 0;  // all of it, or IoError
};

// Held until it is destroyed, or its process ends in any way.
class FileLock {
 public:
  virtual ~FileLock() = default;
};

class Files {
 public:
  using Path = std::filesystem::path;
  virtual ~Files() = default;

  virtual std::unique_ptr<OutputFile> create(const Path& file) = 0;  // mode 0640; must not exist, not even as a link
  virtual std::unique_ptr<OutputFile> append(const Path& file) = 0;  // made when absent; no link
  virtual void make_folder(const Path& folder) = 0;                  // mode 0750; parent exists, folder does not
  virtual void rename(const Path& from, const Path& to) = 0;         // replaces a file, never a non-empty folder
  virtual void remove(const Path& entry) = 0;                        // a file, a link or an empty folder
  virtual void truncate(const Path& file, std::uint64_t size) = 0;
  virtual void sync_folder(const Path& folder) = 0;  // makes creations, renames and removals in it durable
  // Locks a file, made when absent, and writes into it who `holder` is. Error(output), which names the holder, when
  // somebody else has it. The holder may remove the file. Null where the file system knows no locks.
  virtual std::unique_ptr<FileLock> lock(const Path& file, std::string_view holder) = 0;

  virtual std::unique_ptr<InputFile> open(const Path& file) const = 0;  // a regular file; links are followed
  virtual std::vector<std::string> list(const Path& folder) const = 0;  // names, sorted by bytes
  virtual std::optional<FileInfo> info(const Path& entry) const = 0;    // nothing when absent
  virtual std::uint64_t free_bytes(const Path& folder) const = 0;
};

// The real file system.
Files& disk();

// Whether a folder is there, where links lead; false when nothing is. IoError where that cannot be found out.
bool is_folder(const std::filesystem::path& entry);

// Helpers over paths: "a/b/" means "a/b"; the folder of "a" is "."; what is hidden beside a/b is a/.b and a suffix.
std::filesystem::path without_slash(const std::filesystem::path& entry);
std::filesystem::path folder_of(const std::filesystem::path& entry);
std::filesystem::path hidden_beside(const std::filesystem::path& entry, std::string_view suffix);

// Helpers over the operations above.
bool exists(const Files& files, const std::filesystem::path& entry);
void make_folders(Files& files, const std::filesystem::path& folder);  // durable, with parents; existing ones are fine
// Makes durable what led to it before: who made it may have died in between. Where that fails it warns.
void sync_way_to(Files& files, const std::filesystem::path& folder);
void remove_tree(Files& files, const std::filesystem::path& entry);  // does not follow links; absent is fine
std::string read_text(const Files& files, const std::filesystem::path& file, std::uint64_t limit);  // Error(data) above

// A file that appears whole and durable at commit(), or not at all: the old one stays until then. It is written under
// another name beside it, synced, renamed, and its folder synced. One writer at a time per file.
class AtomicFile {
 public:
  AtomicFile(Files& files, std::filesystem::path file);
  void write(std::string_view text) { output_->write(text); }
  void commit();

 private:
  Files& files_;
  std::filesystem::path file_;
  std::unique_ptr<OutputFile> output_;
};
void write_atomically(Files& files, const std::filesystem::path& file, std::string_view content);
// For a file that hours of work end in: makes its folders, and says now what would stop it then. Error(output) where
// the name is taken, or is a folder's; IoError where no file can be made.
void expect_new(Files& files, const std::filesystem::path& file);

}  // namespace peerless
