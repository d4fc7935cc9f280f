// Operations on files as campaigns speak of them: by label, and by the phase of a run to which they belong.
#pragma once

#include <array>
#include <map>
#include <mutex>
#include <string>

#include "peerless/base/error.h"
#include "peerless/base/text.h"
#include "tests/support/faulty_files.h"

namespace peerless::reliability {

// An operation's verb and what it was about: "rename temporary", "sync manifest", "remove trash"; "read written part"
// where a save reads back what it has just written.
inline std::string label(const Operation& operation) {
  const auto name = operation.path.filename().string();
  const auto parent = operation.path.parent_path().filename().string();
  const auto is = [](const std::string& text, const char* prefix) { return text.starts_with(prefix); };
  const char* const what = is(name, ".tmp-")                ? "temporary"
                           : is(name, ".trash-")            ? "trash"
                           : is(name, "step-")              ? "checkpoint"
                           : is(parent, ".trash-")          ? "file in trash"
                           : name == "MANIFEST.json"        ? "manifest"
                           : name.ends_with(".safetensors") ? "part"
                           : name == "checkpoints"          ? "checkpoints"
                           : !name.ends_with(".tok")        ? "run"
                           : parent == "val"                ? "validation set"
                                                            : "training data";
  const bool reads = operation.verb == "open" || operation.verb == "read" || operation.verb == "look up";
  return concat(operation.verb, reads && is(parent, ".tmp-") ? " written " : " ", what);
}

enum class Phase { setup, load, save, commit, retention, evaluation, other };

inline Phase phase(const std::string& label) {
  const auto is_of = [&](auto... what) { return (label.ends_with(what) || ...); };
  const auto does = [&](auto... verb) { return (label.starts_with(verb) || ...); };
  if (label == "lock run") return Phase::setup;
  if (is_of(" validation set")) return does("read ") ? Phase::evaluation : Phase::setup;
  if (is_of(" run", " training data")) return Phase::other;
  if (is_of("trash") || label == "rename checkpoint") return Phase::retention;
  if (does("rename ", "sync folder ", "remove ")) return Phase::commit;
  const bool reads =
      does("open ", "read ", "look up ") && is_of(" manifest", " part") && !is_of(" written manifest", " written part");
  return reads || label == "list checkpoint" ? Phase::load : Phase::save;
}

// Phases in which checkpoints are at stake.
inline bool of_checkpoints(Phase phase) { return Phase::load <= phase && phase <= Phase::retention; }

inline const char* name_of(Phase phase) {
  constexpr std::array kNames{"set-up", "load", "save", "commit", "retention", "evaluation", "other"};
  return kNames[static_cast<std::size_t>(phase)];
}

// One of a process's operations: of those of a label, from 1; of all, where it names none.
struct Occasion {
  std::string label;
  int number = 0;
};

// How many operations of each label a process has begun; in memory that whoever started it sees too.
class Tally {
 public:
  struct Numbers {
    int of_label, of_all;
  };
  Numbers add(const std::string& label) {
    const std::lock_guard lock(mutex_);
    for (auto& entry : entries_) {
      if (entry.count == 0) label.copy(entry.label.data(), entry.label.size() - 1);
      if (label == entry.label.data()) return {++entry.count, ++all_};
    }
    throw Error(ExitCode::internal, "more labels than a tally holds");
  }

  // Once the process has ended, which may have been within add.
  int all() const { return all_; }
  std::map<std::string, int> by_label() const {
    std::map<std::string, int> counts;
    for (const auto& entry : entries_)
      if (entry.count > 0) counts[entry.label.data()] = entry.count;
    return counts;
  }

 private:
  struct Entry {
    std::array<char, 44> label{};
    int count = 0;
  };
  std::mutex mutex_;
  int all_ = 0;
  std::array<Entry, 64> entries_{};
};

}  // namespace peerless::reliability
