// Saves the checkpoints of a run one after another, on a thread of its own, and then removes old ones. All processes of
// the run have one, and use it alike.
//
//   Saver saver(files, folder, peers, {.keep_last = 3});
//   saver.begin(state, info);     waits for the save before, not for this one: the views stay as they are until
//   saver.finish();               it is durable
//
// Failures  A save that the disk fails is tried once more, anew. When that fails too, the run goes on with a warning;
//           `patience` such saves in a row are an error of the run.
// Errors    thrown by the next call, on all processes alike, and told by failed(): the last failure, when patience has
//           run out; whatever else a save throws. finish() throws unless the last save is durable
// Threads   one beside its own. The destructor drains, which other processes may hold up, and lets old checkpoints be
//           removed
#pragma once

#include <chrono>
#include <condition_variable>
#include <exception>
#include <functional>
#include <mutex>
#include <optional>
#include <set>
#include <thread>

#include "peerless/base/peers.h"
#include "peerless/checkpoint/checkpoint_folder.h"

namespace peerless {

class Saver {
 public:
  using Seconds = std::chrono::duration<double>;

  struct Options {
    std::int64_t keep_last = 3;
    std::int64_t patience = 3;
    // On rank 0, from the saver's thread: before a folder is changed (save.h); when a checkpoint is durable, and then
    // which older ones to keep, while the job is not done yet.
    std::function<void()> may_commit = [] {};
    std::function<void(std::int64_t step, Seconds taken)> on_durable = [](std::int64_t, Seconds) {};
    std::function<std::set<std::int64_t>()> keep = [] { return std::set<std::int64_t>(); };  // beside the last
    Seconds last_save{0};                    // of a process before this one
    std::chrono::milliseconds late{60'000};  // who has waited so long for a save, twice as long, ... says so
  };

  // What is passed by reference outlives it; nobody else uses `peers` while a save is under way.
  Saver(Files& files, std::filesystem::path folder, Peers& peers, Options options);
  ~Saver();
  Saver(const Saver&) = delete;
  Saver& operator=(const Saver&) = delete;

  void begin(State state, CheckpointInfo info);
  bool wait();    // until none is under way; whether the last one is durable
  void finish();  // the same, but it must be
  void drain();   // waits too, and throws nothing
  void idle();    // ... and until old checkpoints are removed

  bool busy() const;
  bool failed() const;
  Seconds last_save() const;  // how long the last one took

 private:
  struct Job {
    State state;
    CheckpointInfo info;
  };

  void work();
  bool save(const Job& job);
  void prune(const std::set<std::int64_t>& keep);
  bool try_to_save(const Job& job, std::chrono::steady_clock::time_point begin, const char* what_then);
  bool wait(std::unique_lock<std::mutex>& lock);
  void wait_for_job(std::unique_lock<std::mutex>& lock);

  Files& files_;
  CheckpointFolder folder_;
  Peers& peers_;
  Options options_;

  mutable std::mutex mutex_;  // guards what follows
  std::condition_variable changed_;
  std::optional<Job> job_;  // until it is done
  bool pruning_ = false;    // after it; nobody waits for that, but the thread saves the next one then
  bool ending_ = false;
  std::int64_t failures_ = 0;  // in a row
  std::optional<SharedError> last_failure_;
  std::exception_ptr error_;
  Seconds last_save_;
  std::thread thread_;
};

}  // namespace peerless
