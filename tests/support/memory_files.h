// A file system in memory that forgets what was never synced.
//
//   MemoryFiles files;
//   files.crash(Loss::unsynced);       loss of power: what a later reader finds
//   files.crash(seed);                 ... where chance decides, block by block and name by name
//
// Model     A file's content survives after sync(), what happened to a folder's entries after sync_folder(). What else
//           survives is chance: crash(seed) keeps each block of 4 KiB, and each creation, removal and rename, with
//           probability 1/2. A rename happens whole or not at all.
// Faults    those of a FaultyFiles above it
// Threads   safe to use from many, but for crash() and what is public beside Files
#pragma once

#include <algorithm>
#include <array>
#include <cerrno>
#include <cstring>
#include <map>
#include <mutex>
#include <random>
#include <string>

#include "peerless/base/files.h"

namespace peerless {

enum class Loss {
  nothing,         // the process died, the machine did not: all is there, and still to be synced
  unsynced_data,   // entries had reached the disk, contents had not: the classic file of 0 bytes
  unsynced_names,  // contents had reached the disk, entries had not
  unsynced,        // neither had
};

class MemoryFiles : public Files {
  struct Node;
  using NodePointer = std::shared_ptr<Node>;
  using Entries = std::map<std::string, NodePointer>;
  // What was done to a folder's entries: `from` is gone, `to` means the node.
  struct Change {
    std::string from, to;
    NodePointer node;
  };
  struct Node {
    bool folder = false;
    std::string content, durable_content;
    Entries entries, durable_entries;
    std::vector<Change> unsynced;
  };

 public:
  MemoryFiles() { root_->folder = true; }

  void crash(Loss loss) {
    if (loss == Loss::nothing) return;
    const bool lose_data = loss == Loss::unsynced_data || loss == Loss::unsynced;
    const bool lose_names = loss == Loss::unsynced_names || loss == Loss::unsynced;
    forget(*root_, [&](Node& node) {
      if (lose_data) node.content = node.durable_content;
      if (lose_names) node.entries = node.durable_entries;
    });
  }

  void crash(std::uint64_t seed) {
    std::mt19937_64 random(seed);
    forget(*root_, [&](Node& node) { node.folder ? forget_names(node, random) : forget_blocks(node, random); });
  }

  std::uint64_t free = std::uint64_t{1} << 40;  // what free_bytes says
  std::size_t most_at_once = 0;                 // the largest write so far
  bool knows_locks = true;

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
    const std::lock_guard lock(mutex_);
    return std::make_unique<Output>(*this, file, make("create", file, false));
  }

  std::unique_ptr<OutputFile> append(const Path& file) override {
    const std::lock_guard lock(mutex_);
    const auto node = look_up(file);
    return std::make_unique<Output>(*this, file, node ? node : make("append", file, false));
  }

  void make_folder(const Path& folder) override {
    const std::lock_guard lock(mutex_);
    make("make the folder", folder, true);
  }

  void rename(const Path& from, const Path& to) override {
    const std::lock_guard lock(mutex_);
    PEERLESS_CHECK(from.parent_path() == to.parent_path(), from, " goes to another folder");
    const auto node = find(from);
    if (const auto target = look_up(to); target && !target->entries.empty())
      throw IoError(ExitCode::output, concat("rename to ", to), from, ENOTEMPTY);
    change(parent_of("rename", from), {from.filename().string(), to.filename().string(), node});
  }

  void remove(const Path& entry) override {
    const std::lock_guard lock(mutex_);
    if (!find(entry)->entries.empty()) throw IoError(ExitCode::io, "remove", entry, ENOTEMPTY);
    change(parent_of("remove", entry), {entry.filename().string(), "", nullptr});
  }

  void truncate(const Path& file, std::uint64_t size) override {
    const std::lock_guard lock(mutex_);
    find(file)->content.resize(size);
  }

  void sync_folder(const Path& folder) override {
    const std::lock_guard lock(mutex_);
    const auto node = find(folder);
    node->durable_entries = node->entries;
    node->unsynced.clear();
  }

  std::unique_ptr<FileLock> lock(const Path& file, std::string_view holder) override {
    const std::lock_guard lock(mutex_);
    if (!knows_locks) return nullptr;
    if (locked_.contains(file)) throw Error(ExitCode::output, file.parent_path(), ": in use by ", locked_[file]);
    if (!look_up(file)) make("lock", file, false);
    locked_[file] = holder;
    return std::make_unique<Lock>(*this, file);
  }

  std::unique_ptr<InputFile> open(const Path& file) const override {
    const std::lock_guard lock(mutex_);
    const auto node = look_up(file);
    if (!node) throw IoError(ExitCode::no_input, "open", file, ENOENT);
    if (node->folder) throw IoError(ExitCode::data, "open what is no regular file", file, EISDIR);
    return std::make_unique<Input>(*this, file, node);
  }

  std::vector<std::string> list(const Path& folder) const override {
    const std::lock_guard lock(mutex_);
    const auto listed = find(folder);
    if (!listed->folder) throw IoError(ExitCode::no_input, "list", folder, ENOTDIR);
    std::vector<std::string> names;
    for (const auto& [name, node] : listed->entries) names.push_back(name);
    return names;
  }

  std::optional<FileInfo> info(const Path& entry) const override {
    const std::lock_guard lock(mutex_);
    const auto node = look_up(entry);
    if (!node) return std::nullopt;
    return FileInfo{node->folder ? FileInfo::Kind::folder : FileInfo::Kind::file, node->content.size()};
  }

  std::uint64_t free_bytes(const Path&) const override { return free; }

 private:
  class Output : public OutputFile {
   public:
    Output(MemoryFiles& files, Path path, NodePointer node)
        : files_(files), path_(std::move(path)), node_(std::move(node)) {}
    void reserve(std::uint64_t) override {}
    void write(std::span<const std::byte> bytes) override {
      const std::lock_guard lock(files_.mutex_);
      node_->content.append(reinterpret_cast<const char*>(bytes.data()), bytes.size());
      files_.most_at_once = std::max(files_.most_at_once, bytes.size());
    }
    void sync() override {
      const std::lock_guard lock(files_.mutex_);
      node_->durable_content = node_->content;
    }
    void uncache() override {}
    FileInfo info() const override { return files_.info(path_).value(); }
    void close() override {}

   private:
    MemoryFiles& files_;
    Path path_;
    NodePointer node_;
  };

  class Lock : public FileLock {
   public:
    Lock(MemoryFiles& files, Path path) : files_(files), path_(std::move(path)) {}
    ~Lock() override {
      const std::lock_guard lock(files_.mutex_);
      files_.locked_.erase(path_);
    }

   private:
    MemoryFiles& files_;
    Path path_;
  };

  class Input : public InputFile {
   public:
    Input(const MemoryFiles& files, Path path, NodePointer node)
        : files_(files), path_(std::move(path)), node_(std::move(node)) {}
    std::uint64_t size() const override {
      const std::lock_guard lock(files_.mutex_);
      return node_->content.size();
    }
    void read(std::uint64_t offset, std::span<std::byte> into) const override {
      const std::lock_guard lock(files_.mutex_);
      if (offset + into.size() > node_->content.size()) throw IoError(ExitCode::io, "read", path_, 0);
      std::memcpy(into.data(), node_->content.data() + offset, into.size());
    }

   private:
    const MemoryFiles& files_;
    Path path_;
    NodePointer node_;
  };

  NodePointer look_up(const Path& path) const {
    auto node = root_;
    for (const auto& name : path.relative_path()) {
      if (name.empty() || name == ".") continue;
      const auto found = node->entries.find(name.string());
      if (found == node->entries.end()) return nullptr;
      node = found->second;
    }
    return node;
  }

  NodePointer find(const Path& path) const {
    auto node = look_up(path);
    if (!node) throw IoError(ExitCode::io, "find", path, ENOENT);
    return node;
  }

  Node& parent_of(std::string_view what, const Path& path) const {
    const auto node = look_up(path.parent_path());
    if (!node || !node->folder) throw IoError(ExitCode::output, what, path, ENOENT);
    return *node;
  }

  NodePointer make(std::string_view what, const Path& path, bool folder) {
    auto& parent = parent_of(what, path);
    if (parent.entries.contains(path.filename().string())) throw IoError(ExitCode::output, what, path, EEXIST);
    const auto node = std::make_shared<Node>();
    node->folder = folder;
    change(parent, {"", path.filename().string(), node});
    return node;
  }

  static void apply(const Change& change, Entries& entries) {
    if (!change.from.empty()) entries.erase(change.from);
    if (!change.to.empty()) entries[change.to] = change.node;
  }

  static void change(Node& folder, const Change& change) {
    apply(change, folder.entries);
    folder.unsynced.push_back(change);
  }

  // ---- loss of power

  template <class Choose>
  static void forget(Node& node, const Choose& choose) {
    choose(node);
    node.durable_content = node.content;
    node.durable_entries = node.entries;
    node.unsynced.clear();
    for (const auto& [name, child] : node.entries) forget(*child, choose);
  }

  // Some of the changes came to pass, each only where what it changes is there.
  static void forget_names(Node& node, std::mt19937_64& random) {
    auto kept = node.durable_entries;
    for (const auto& change : node.unsynced) {
      const auto from = kept.find(change.from);
      const bool possible =
          change.from.empty() || (from != kept.end() && (!change.node || from->second == change.node));
      if (possible && random() % 2 == 0) apply(change, kept);
    }
    node.entries = std::move(kept);
  }

  // The size is the old one, the new one, or one between; each block is old (or zeros, where there was none) or new.
  static void forget_blocks(Node& node, std::mt19937_64& random) {
    constexpr std::size_t kBlock = 4096;
    const std::size_t was = node.durable_content.size(), is = node.content.size();
    const std::size_t least = std::min(was, is), most = std::max(was, is);
    const std::array sizes{was, is, least + random() % (most - least + 1)};
    auto old = node.durable_content, current = node.content;
    old.resize(most);
    current.resize(most);
    for (std::size_t at = 0; at < most; at += kBlock)
      if (random() % 2 == 0) current.replace(at, kBlock, old, at, kBlock);
    current.resize(sizes[random() % sizes.size()]);
    node.content = std::move(current);
  }

  static void collect(const Node& node, const Path& path, std::map<Path, std::string>& result) {
    if (!node.folder) result[path] = node.content;
    for (const auto& [name, child] : node.entries) collect(*child, path / name, result);
  }

  mutable std::mutex mutex_;
  NodePointer root_ = std::make_shared<Node>();
  std::map<Path, std::string> locked_;  // by whom
};

}  // namespace peerless
