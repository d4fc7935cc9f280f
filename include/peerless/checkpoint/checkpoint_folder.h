// The checkpoints of a run: one folder step-000000000100/ each. Steps are told by the names alone; no file points to
// the newest, so none can point wrongly.
//
//   CheckpointFolder folder(disk(), "runs/a/checkpoints");
//   folder.settle();
//   if (const auto checkpoint = folder.newest_intact()) checkpoint->load(state);
//   folder.save(state, info);     durable when it returns
//   folder.prune(3);
//
// Errors   those of Save and Checkpoint
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <limits>
#include <optional>
#include <set>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/base/state.h"
#include "peerless/checkpoint/checkpoint.h"
#include "peerless/checkpoint/save.h"

namespace peerless {

class CheckpointFolder {
 public:
  CheckpointFolder(Files& files, std::filesystem::path path) : files_(files), path_(std::move(path)) {}

  const std::filesystem::path& path() const { return path_; }

  // Saves a state that one process holds whole. Durable when it returns; an exception leaves the others as they were.
  // Saving the same state of a step again is fine; a damaged checkpoint of that step is replaced.
  void save(const State& state, const CheckpointInfo& info);

  // Newest first, damaged ones too; none where there is nothing. Error(data) where a file is.
  std::vector<std::int64_t> steps() const;
  Checkpoint open(std::int64_t step) const;

  // The newest checkpoint that verifies, of those up to a step, with a warning about each newer one that is damaged.
  // Nothing when there is none at all; Error(data) when all are damaged. One that cannot be read now, or by this
  // version, ends the search: its error says nothing about damage.
  std::optional<Checkpoint> newest_intact(std::int64_t up_to = std::numeric_limits<std::int64_t>::max()) const;

  // That one need not be verified any more before others may be removed: its save has just done so.
  void trust(std::int64_t step) { verified_.insert(step); }
  // The checkpoints older than the `keep_last` (>= 2) newest that verify, newest first; but for each step in `keep` the
  // newest one up to it that verifies. Each is verified once, when it first stands between others and removal.
  std::vector<std::int64_t> surplus(std::int64_t keep_last, const std::set<std::int64_t>& keep = {});
  // Removes and returns them. An exception has cost no checkpoint that was to be kept. `may_remove` throws where
  // another process has taken over the folder, which may happen while what is kept is verified.
  std::vector<std::int64_t> prune(
      std::int64_t keep_last, const std::set<std::int64_t>& keep = {}, const std::function<void()>& may_remove = [] {});

  // Makes durable what is there, and removes what is half there: a process that died may not have lived to do so.
  // Before a run relies on any of it, and while nobody saves.
  void settle();

  // Renames the checkpoints after `step` to aside-step-... (aside-2-step-... where that is taken): a run that goes back
  // to an older one calls this, lest they come back. They are the user's to remove.
  void set_aside_after(std::int64_t step);

 private:
  bool is_intact(std::int64_t step);
  std::filesystem::path free_place_aside(std::int64_t step) const;
  void remove(const std::vector<std::int64_t>& steps);

  Files& files_;
  std::filesystem::path path_;
  std::set<std::int64_t> verified_;
};

// Whether a path means the folder of one step, not of many.
bool is_one_checkpoint(const Files& files, const std::filesystem::path& path);

// The checkpoints of a run, or of a folder of checkpoints.
CheckpointFolder checkpoints_of(Files& files, const std::filesystem::path& path);

// What a user means by a path: the folder of one step; a run, or a folder of checkpoints, for the newest intact one in
// it.
Checkpoint find_checkpoint(Files& files, const std::filesystem::path& path);

}  // namespace peerless
