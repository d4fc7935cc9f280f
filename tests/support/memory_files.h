// A file system in memory that can fail at any operation, and forget what was never synced.
//
//   MemoryFiles files;
//   files.fail_at(7, ENOSPC);          the 7th mutating operation from now fails, once
//   files.die_at(7);                   ... and everything after it fails too: the process is gone
//   files.crash(Loss::unsynced);       loss of power: what a later reader finds
//
// Model   A file's content survives after sync(), the entries of a folder after sync_folder(); a rename is an entry of
//         both folders. What else survives is chance, so tests try the extremes.
#pragma once

#include <cerrno>
#include <cstring>
#include <map>
#include <string>

#include "peerless/base/files.h"

namespace peerless {

enum class Loss {
  nothing,         // the process died, the machine did not
  unsynced_data,   // entries had reached the disk, contents had not: the classic file of 0 bytes
  unsynced_names,  // contents had reached the disk, entries had not
  unsynced,        // neither had
};

class MemoryFiles : public Files {
  struct Node;
  using Entries = std::map<std::string, std::shared_ptr<Node>>;
  struct Node {
    bool folder = false;
    std::string content, durable_content;
    Entries entries, durable_entries;
  };

 public:
  MemoryFiles() { root_->folder = true; }

  // ---- faults

  void fail_at(int operation, int error) { arm(operation, error, false); }
  void die_at(int operation) { arm(operation, EIO, true); }
  void heal() {
    arm(0, 0, false);
    unreadable_.clear();
  }
  void fail_reads_of(const Path& file, int error) { unreadable_[file] = error; }
  int operations() const { return count_; }  // since the last of these calls

  void crash(Loss loss) {
    heal();
    forget(*root_, loss);
  }

  std::uint64_t free = std::uint64_t{1} << 40;  // what free_bytes says
  std::size_t most_at_once = 0;                 // the largest write so far

  // ---- contents

  std::string& content(const Path& file) { return find(file)->content; }
  // Every file below `folder`, by path.
  std::map<Path, std::string> tree(const Path& folder) const {
    std::map<Path, std::string> result;
    collect(*find(folder), folder, result);
    return result;
  }
  void put(const Path& file, std::string content) {
    auto node = std::make_shared<Node>();
    node->content = node->durable_content = std::move(content);
    auto& parent = *find(file.parent_path());
    parent.entries[file.filename().string()] = parent.durable_entries[file.filename().string()] = node;
  }

  // ---- Files

  std::unique_ptr<OutputFile> create(const Path& file) override {
    operation("create", file);
    auto& entries = parent_of("create", file).entries;
    if (entries.contains(file.filename().string())) throw IoError(ExitCode::output, "create", file, EEXIST);
    auto node = std::make_shared<Node>();
    entries[file.filename().string()] = node;
    return std::make_unique<Output>(*this, file, node);
  }

  std::unique_ptr<OutputFile> append(const Path& file) override {
    if (const auto node = look_up(file)) {
      operation("append", file);
      return std::make_unique<Output>(*this, file, node);
    }
    return create(file);
  }

  void make_folder(const Path& folder) override {
    operation("make the folder", folder);
    auto& entries = parent_of("make the folder", folder).entries;
    if (entries.contains(folder.filename().string()))
      throw IoError(ExitCode::output, "make the folder", folder, EEXIST);
    entries[folder.filename().string()] = std::make_shared<Node>(Node{true, {}, {}, {}, {}});
  }

  void rename(const Path& from, const Path& to) override {
    operation("rename", from);
    const auto node = find(from);
    if (const auto target = look_up(to); target && !target->entries.empty()) {
      throw IoError(ExitCode::output, concat("rename to ", to), from, ENOTEMPTY);
    }
    parent_of("rename", from).entries.erase(from.filename().string());
    parent_of("rename", to).entries[to.filename().string()] = node;
  }

  void remove(const Path& entry) override {
    operation("remove", entry);
    if (!find(entry)->entries.empty()) throw IoError(ExitCode::io, "remove", entry, ENOTEMPTY);
    parent_of("remove", entry).entries.erase(entry.filename().string());
  }

  void truncate(const Path& file, std::uint64_t size) override {
    operation("truncate", file);
    find(file)->content.resize(size);
  }

  void sync_folder(const Path& folder) override {
    operation("sync", folder);
    const auto node = find(folder);
    node->durable_entries = node->entries;
  }

  std::unique_ptr<FileLock> lock(const Path& file, std::string_view holder) override {
    if (locked_.contains(file)) throw Error(ExitCode::output, file.parent_path(), ": in use by ", locked_[file]);
    if (!look_up(file)) create(file);
    locked_[file] = holder;
    return std::make_unique<Lock>(*this, file);
  }

  std::unique_ptr<InputFile> open(const Path& file) const override {
    const auto node = look_up(file);
    if (!node || node->folder) throw IoError(ExitCode::no_input, "open", file, node ? EISDIR : ENOENT);
    const auto unreadable = unreadable_.find(file);
    return std::make_unique<Input>(file, node, unreadable == unreadable_.end() ? 0 : unreadable->second);
  }

  std::vector<std::string> list(const Path& folder) const override {
    std::vector<std::string> names;
    for (const auto& [name, node] : find(folder)->entries) names.push_back(name);
    return names;
  }

  std::optional<FileInfo> info(const Path& entry) const override {
    const auto node = look_up(entry);
    if (!node) return std::nullopt;
    return FileInfo{node->folder ? FileInfo::Kind::folder : FileInfo::Kind::file, node->content.size()};
  }

  std::uint64_t free_bytes(const Path&) const override { return free; }

 private:
  class Output : public OutputFile {
   public:
    Output(MemoryFiles& files, Path path, std::shared_ptr<Node> node)
        : files_(files), path_(std::move(path)), node_(std::move(node)) {}
    void reserve(std::uint64_t) override { files_.operation("reserve", path_); }
    void write(std::span<const std::byte> bytes) override {
      files_.operation("write", path_);
      node_->content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      files_.most_at_once = std::max(files_.most_at_once, bytes.size());
    }
    void sync() override {
      files_.operation("sync", path_);
      node_->durable_content = node_->content;
    }
    void close() override { files_.operation("close", path_); }

   private:
    MemoryFiles& files_;
    Path path_;
    std::shared_ptr<Node> node_;
  };

  class Lock : public FileLock {
   public:
    Lock(MemoryFiles& files, Path path) : files_(files), path_(std::move(path)) {}
    ~Lock() override { files_.locked_.erase(path_); }

   private:
    MemoryFiles& files_;
    Path path_;
  };

  class Input : public InputFile {
   public:
    Input(Path path, std::shared_ptr<Node> node, int error)
        : path_(std::move(path)), node_(std::move(node)), error_(error) {}
    std::uint64_t size() const override { return node_->content.size(); }
    void read(std::uint64_t offset, std::span<std::byte> into) const override {
      if (error_ != 0) throw IoError(ExitCode::io, "read", path_, error_);
      if (offset + into.size() > size()) throw IoError(ExitCode::io, "read", path_, 0);
      std::memcpy(into.data(), node_->content.data() + offset, into.size());
    }

   private:
    Path path_;
    std::shared_ptr<Node> node_;
    int error_;
  };

  void arm(int operation, int error, bool for_good) {
    count_ = 0;
    fail_at_ = operation;
    error_ = error;
    for_good_ = for_good;
  }

  void operation(std::string_view what, const Path& path) {
    ++count_;
    if (fail_at_ > 0 && (count_ == fail_at_ || (for_good_ && count_ > fail_at_))) {
      throw IoError(ExitCode::io, what, path, error_);
    }
  }

  std::shared_ptr<Node> look_up(const Path& path) const {
    auto node = root_;
    for (const auto& name : path.relative_path()) {
      if (name.empty() || name == ".") continue;
      const auto found = node->entries.find(name.string());
      if (found == node->entries.end()) return nullptr;
      node = found->second;
    }
    return node;
  }

  std::shared_ptr<Node> find(const Path& path) const {
    auto node = look_up(path);
    if (!node) throw IoError(ExitCode::io, "find", path, ENOENT);
    return node;
  }

  Node& parent_of(std::string_view what, const Path& path) const {
    const auto node = look_up(path.parent_path());
    if (!node || !node->folder) throw IoError(ExitCode::output, what, path, ENOENT);
    return *node;
  }

  static void forget(Node& node, Loss loss) {
    const bool lose_data = loss == Loss::unsynced_data || loss == Loss::unsynced;
    const bool lose_names = loss == Loss::unsynced_names || loss == Loss::unsynced;
    if (lose_data) node.content = node.durable_content;
    if (lose_names) node.entries = node.durable_entries;
    node.durable_content = node.content;
    node.durable_entries = node.entries;
    for (const auto& [name, child] : node.entries) forget(*child, loss);
  }

  static void collect(const Node& node, const Path& path, std::map<Path, std::string>& result) {
    if (!node.folder) result[path] = node.content;
    for (const auto& [name, child] : node.entries) collect(*child, path / name, result);
  }

  std::shared_ptr<Node> root_ = std::make_shared<Node>();
  int count_ = 0, fail_at_ = 0, error_ = 0;
  bool for_good_ = false;
  std::map<Path, int> unreadable_;
  std::map<Path, std::string> locked_;  // by whom
};

}  // namespace peerless
