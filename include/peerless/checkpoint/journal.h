// journal.json: what a run remembers of itself beside its checkpoints. Process 0 alone reads and writes it.
//
//   {"version":1,"starts":1,"durable":300,"rollbacks":1,"save_ms":850,"skip":{"step":200,"samples":8320}}
//
// starts     of processes that have not ended in order since the newest checkpoint became durable, this one included
// durable    the step of that checkpoint, or of an older one to which the run went back since
// save_ms    how long the last save took; absent: below a millisecond, or not known
// rollbacks  how often the run has gone back to a good checkpoint;  skip: where that was last, and with which samples
//            it went on from there, instead of those that the checkpoint says
//
// Nothing depends on it but when to give up, whether a save fits into train.grace_seconds, and which samples follow a
// rollback. One that cannot be read is set aside with a warning, and a new one begun.
//
// Errors   IoError where it cannot be read; where it cannot be written, start, roll_back and go_on_from throw, and the
//          others warn, for what they say must not end a run
// Threads  any
#pragma once

#include <chrono>
#include <cstdint>
#include <filesystem>
#include <mutex>
#include <optional>

#include "peerless/base/files.h"

namespace peerless {

class Journal {
 public:
  struct Skip {
    std::int64_t step, samples;
    bool operator==(const Skip&) const = default;
  };

  Journal(Files& files, std::filesystem::path file);

  // One more start. Error(no_progress), and nothing is counted, where there were `most` since a checkpoint last became
  // durable.
  void start(std::int64_t most);
  // The process ends in order: its start does not count.
  void end();

  void durable(std::int64_t step, std::chrono::milliseconds save);
  void roll_back(const Skip& skip);
  // How many samples the run has behind it that goes on from the checkpoint of `step`, which says `samples`: more where
  // it has gone back to that one. A rollback to a later one is forgotten, for the run will save that step anew.
  std::int64_t go_on_from(std::int64_t step, std::int64_t samples);

  std::int64_t durable() const;
  std::chrono::milliseconds last_save() const;
  std::int64_t rollbacks() const;

 private:
  struct Entries {
    std::int64_t starts = 0, durable = 0, rollbacks = 0, save_ms = 0;
    std::optional<Skip> skip = std::nullopt;
  };
  static Entries parse(const std::string& text, const std::filesystem::path& file);
  void write() const;
  void try_to_write() const;

  Files& files_;
  std::filesystem::path file_;
  mutable std::mutex mutex_;
  Entries entries_;
};

}  // namespace peerless
