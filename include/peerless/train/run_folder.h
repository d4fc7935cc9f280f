// The folder of a run, <run.dir>/<run.name>/ (docs/formats/run-folder.md):
//
//   config.yaml     the resolved config          metrics.jsonl   what was measured, a record a line (metrics_log.h)
//   log.txt         all log lines                events.out.*    the same for TensorBoard (event_file.h)
//   status.json     where the run stands         checkpoints/    step-000000000100/, ...
//   samples/        what was trained on, where asked for (sample_log.h)
//   journal.json    starts, rollbacks, the newest durable step (journal.h)
//   id              the run's name for itself, the same after each resume
//   .lock, .owner   held by the process that trains, of several by the first (run_lock.h)
#pragma once

#include <filesystem>
#include <memory>
#include <string>

#include "peerless/base/files.h"
#include "peerless/checkpoint/journal.h"
#include "peerless/checkpoint/run_lock.h"

namespace peerless {

// What may be there already.
enum class RunMode {
  begin_or_go_on,  // a run of ours, or nothing
  begin,           // no run with checkpoints
  go_on,           // a run of ours
};

// Whether a run of ours is there, with checkpoints or without.
bool is_run(const Files& files, const std::filesystem::path& folder);

class RunFolder {
 public:
  // Takes over the folder of a run of ours, or makes one, and keeps other processes out of it for as long as this
  // lives. Error(output) when another process has it, when it holds something else, or not what `mode` says; when it
  // is another user's, or whoever likes may write into it.
  static RunFolder open(
      Files& files, const std::filesystem::path& folder, RunMode mode, const Stopped& stopped = [] { return false; });

  // The same folder for a process beside the one that opened it. Error(output) where it is not the same here.
  static RunFolder opened_by_another(const Files& files, const std::filesystem::path& folder, const std::string& id);

  const std::filesystem::path& path() const { return path_; }
  const std::string& id() const { return id_; }
  // Error(output) where another process has taken it over from this one, which opened it.
  void check_held() const {
    if (lock_) lock_->check();
  }
  // Whether nobody else has it, as far as this process can tell; lost(): that somebody has, as was seen of late.
  bool is_held() const { return !lock_ || lock_->is_held(); }
  bool lost() const { return lock_ && lock_->lost(); }
  // What the run remembers; null in a process beside the one that opened it.
  Journal* journal() const { return journal_.get(); }
  std::filesystem::path config() const { return path_ / "config.yaml"; }
  std::filesystem::path log() const { return path_ / "log.txt"; }
  std::filesystem::path status() const { return path_ / "status.json"; }
  std::filesystem::path samples() const { return path_ / "samples"; }
  std::filesystem::path checkpoints() const { return path_ / "checkpoints"; }

 private:
  static RunFolder take(Files& files, const std::filesystem::path& folder, RunMode mode, const Stopped& stopped);
  RunFolder(std::filesystem::path path, std::string id, std::unique_ptr<RunLock> lock, std::unique_ptr<Journal> journal)
      : path_(std::move(path)), id_(std::move(id)), lock_(std::move(lock)), journal_(std::move(journal)) {}

  std::filesystem::path path_;
  std::string id_;
  std::unique_ptr<RunLock> lock_;
  std::unique_ptr<Journal> journal_;
};

}  // namespace peerless
