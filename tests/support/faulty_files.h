// A file system that goes wrong on request. Every operation, reads too, is shown to a hook before it happens; the hook
// may let it fail, do half of it, wait, or end the process.
//
//   FaultyFiles files(disk());
//   files.arm(fail_at(7, ENOSPC));     the 7th operation from now fails, once
//   files.arm(fail_from(7, EIO));      ... and all after it: the disk, or the process, is gone
//   files.arm(kill_at(7));             SIGKILL before the 7th
//   files.arm([](const Operation& o) { if (o.verb == "sync") sleep(1); });
//
// Threads   safe where the files below are; the hook runs on whatever thread does the operation
#pragma once

#include <signal.h>
#include <unistd.h>

#include <atomic>
#include <functional>
#include <utility>

#include "peerless/base/files.h"

namespace peerless {

struct Operation {
  int number;             // since arm(), from 1
  std::string_view verb;  // "create", "write", "sync", "sync folder", "read", ...
  const std::filesystem::path& path;
  std::function<void()> half = {};  // of a write: writes the first half

  [[noreturn]] void fail(int error) const { throw IoError(code_of(error), verb, path, error); }

 private:
  // As on a real disk.
  ExitCode code_of(int error) const {
    if (verb == "create" || verb == "append" || verb == "make folder" || verb == "rename") return code_of_making(error);
    if (verb == "open" || verb == "list" || verb == "look up") return code_of_reading(error);
    return ExitCode::io;
  }
};

using Hook = std::function<void(const Operation&)>;

inline Hook fail_at(int number, int error) {
  return [=](const Operation& operation) {
    if (operation.number == number) operation.fail(error);
  };
}

inline Hook fail_from(int number, int error) {
  return [=](const Operation& operation) {
    if (operation.number >= number) operation.fail(error);
  };
}

// A disk that fills up midway: half of a write arrives.
inline Hook cut_short_from(int number, int error) {
  return [=](const Operation& operation) {
    if (operation.number == number && operation.half) operation.half();
    if (operation.number >= number) operation.fail(error);
  };
}

inline Hook kill_at(int number) {
  return [=](const Operation& operation) {
    if (operation.number != number) return;
    if (operation.half && number % 2 == 0) operation.half();
    ::kill(::getpid(), SIGKILL);
    ::pause();
  };
}

class FaultyFiles : public Files {
 public:
  explicit FaultyFiles(Files& below) : below_(below) {}

  // From now on; counts from 1 again. Not while an operation is under way.
  void arm(Hook hook = {}) {
    count_ = 0;
    hook_ = std::move(hook);
  }
  int operations() const { return count_; }  // since arm()

  std::unique_ptr<OutputFile> create(const Path& file) override {
    before("create", file);
    return std::make_unique<Output>(*this, file, below_.create(file));
  }
  std::unique_ptr<OutputFile> append(const Path& file) override {
    before("append", file);
    return std::make_unique<Output>(*this, file, below_.append(file));
  }
  void make_folder(const Path& folder) override {
    before("make folder", folder);
    below_.make_folder(folder);
  }
  void rename(const Path& from, const Path& to) override {
    before("rename", from);
    below_.rename(from, to);
  }
  void remove(const Path& entry) override {
    before("remove", entry);
    below_.remove(entry);
  }
  void truncate(const Path& file, std::uint64_t size) override {
    before("truncate", file);
    below_.truncate(file, size);
  }
  void sync_folder(const Path& folder) override {
    before("sync folder", folder);
    below_.sync_folder(folder);
  }
  std::unique_ptr<FileLock> lock(const Path& file, std::string_view holder) override {
    before("lock", file);
    return below_.lock(file, holder);
  }
  std::unique_ptr<InputFile> open(const Path& file) const override {
    before("open", file);
    return std::make_unique<Input>(*this, file, below_.open(file));
  }
  std::vector<std::string> list(const Path& folder) const override {
    before("list", folder);
    return below_.list(folder);
  }
  std::optional<FileInfo> info(const Path& entry) const override {
    before("look up", entry);
    return below_.info(entry);
  }
  std::uint64_t free_bytes(const Path& folder) const override {
    before("look up free space", folder);
    return below_.free_bytes(folder);
  }

 private:
  class Output : public OutputFile {
   public:
    Output(const FaultyFiles& files, Path path, std::unique_ptr<OutputFile> below)
        : files_(files), path_(std::move(path)), below_(std::move(below)) {}
    void reserve(std::uint64_t bytes) override {
      files_.before("reserve", path_);
      below_->reserve(bytes);
    }
    void write(std::span<const std::byte> bytes) override {
      files_.before("write", path_, [&] { below_->write(bytes.first(bytes.size() / 2)); });
      below_->write(bytes);
    }
    void sync() override {
      files_.before("sync", path_);
      below_->sync();
    }
    void uncache() override { below_->uncache(); }
    FileInfo info() const override { return below_->info(); }
    void close() override {
      files_.before("close", path_);
      below_->close();
    }

   private:
    const FaultyFiles& files_;
    Path path_;
    std::unique_ptr<OutputFile> below_;
  };

  class Input : public InputFile {
   public:
    Input(const FaultyFiles& files, Path path, std::unique_ptr<InputFile> below)
        : files_(files), path_(std::move(path)), below_(std::move(below)) {}
    std::uint64_t size() const override { return below_->size(); }
    void read(std::uint64_t offset, std::span<std::byte> into) const override {
      files_.before("read", path_);
      below_->read(offset, into);
    }

   private:
    const FaultyFiles& files_;
    Path path_;
    std::unique_ptr<InputFile> below_;
  };

  void before(std::string_view verb, const Path& path, std::function<void()> half = {}) const {
    const int number = ++count_;
    if (hook_) hook_({number, verb, path, std::move(half)});
  }

  Files& below_;
  Hook hook_;
  mutable std::atomic<int> count_ = 0;
};

}  // namespace peerless
