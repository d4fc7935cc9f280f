// Training as the checkpoint room sees it, without LibTorch: processes that go on from the newest good checkpoint, take
// steps, save, and remove old checkpoints, by the code that the trainer uses. The state of a step is known, so that
// what is loaded can be told to the bit.
#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <vector>

#include "peerless/base/random.h"
#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/config.h"
#include "peerless/checkpoint/run_lock.h"
#include "peerless/checkpoint/saver.h"
#include "tests/reliability/campaign.h"

namespace peerless::reliability {

constexpr std::int64_t kColumns = 32, kKept = 2;

// What one of `size` processes holds at a step: its rows of a table; on rank 0 the step.
class SmallState {
 public:
  explicit SmallState(std::int64_t rows, std::int64_t rank = 0, std::int64_t size = 1)
      : rows_(rows), first_(rows * rank / size), end_(rows * (rank + 1) / size), leads_(rank == 0) {
    table_.resize(static_cast<std::size_t>((end_ - first_) * kColumns));
  }
  static SmallState at(std::int64_t step, std::int64_t rows, std::int64_t rank = 0, std::int64_t size = 1) {
    SmallState state(rows, rank, size);
    state.step_ = state.leads_ ? step : 0;
    std::size_t i = 0;
    for (auto row = state.first_; row < state.end_; ++row)
      for (std::int64_t column = 0; column < kColumns; ++column)
        state.table_[i++] = mix(static_cast<std::uint64_t>(step), static_cast<std::uint64_t>(row * kColumns + column));
    return state;
  }

  // Views; `owner` keeps this alive as long as they are.
  State state(std::shared_ptr<SmallState> owner = nullptr) {
    State state;
    if (leads_) state.add("step", DType::i64, {}, std::as_writable_bytes(std::span(&step_, 1)), owner);
    state.add({"table",
               DType::i64,
               {rows_, kColumns},
               {first_, 0},
               {end_ - first_, kColumns},
               std::as_writable_bytes(std::span(table_)),
               std::move(owner)});
    return state;
  }
  static CheckpointInfo info(std::int64_t step) {
    return {.step = step, .run = "r", .program = "0", .config = "", .tokenizer = {1, 2}, .data = {3, 4}};
  }
  bool operator==(const SmallState&) const = default;

 private:
  std::int64_t rows_, first_, end_;
  bool leads_;
  std::int64_t step_ = 0;
  std::vector<std::uint64_t> table_;
};

constexpr std::int64_t kRows = 48;  // 12 KB

// The step of the checkpoint that a run would go on from, its content compared with what was saved; 0: none is there.
inline std::int64_t loadable(const CheckpointFolder& folder, std::int64_t rows = kRows) {
  const auto newest = folder.newest_intact();
  if (!newest) return 0;
  const std::int64_t step = newest->info().step;
  SmallState loaded(rows);
  newest->load(loaded.state());
  if (loaded != SmallState::at(step, rows)) throw Error(ExitCode::data, "step ", step, " is not what was saved");
  return step;
}

// Whose name is found in the folder is dead: a trial need not wait to see that.
constexpr LockTiming kNobodyElse{.beat = std::chrono::hours(1), .patience = std::chrono::milliseconds(0)};

// A trial's verdict: what is there is right, and at least as new as what was acknowledged.
inline void check(Files& files, const std::filesystem::path& folder, std::int64_t acknowledged, Result& result) {
  try {
    if (loadable(CheckpointFolder(files, folder)) < acknowledged) ++result.lost;
  } catch (const Error& error) {
    ++result.unloadable;
    result.failures.emplace_back(error.what());
  }
}

struct Training {
  std::filesystem::path folder;
  std::int64_t saves = 3;  // one a step
  SaveMode mode = SaveMode::sync;
  std::int64_t rows = kRows;
  std::function<void()> loaded = {};                                    // it has gone on from what was there
  std::function<void(std::int64_t)> acknowledge = [](std::int64_t) {};  // on rank 0: that checkpoint is durable
};

// One life of one of its processes.
inline void live(const Training& training, Files& files, Peers& peers) {
  const auto rank = peers.rank(), size = peers.world_size();
  CheckpointFolder folder(files, training.folder);
  std::optional<RunLock> lock;
  std::int64_t step = 0;
  together(peers, [&] {
    if (rank != 0) return;
    make_folders(files, training.folder);
    lock.emplace(files, training.folder.parent_path(), "this machine", "a process", kNobodyElse);
    folder.settle();
    const auto newest = folder.newest_intact();
    step = newest ? newest->info().step : 0;
  });
  step = std::stoll(peers.announce(std::to_string(step)));
  together(peers, [&] {
    if (step == 0) return;
    SmallState loaded(training.rows, rank, size);
    folder.open(step).load_some(loaded.state());
    if (rank == 0) folder.set_aside_after(step);
    if (loaded != SmallState::at(step, training.rows, rank, size))
      throw Error(ExitCode::data, "step ", step, " is another's");
  });
  if (training.loaded) training.loaded();
  const auto check_lock = [&] {
    if (lock) lock->check();
  };
  Saver saver(files, training.folder, peers,
              {.keep_last = kKept, .may_commit = check_lock, .on_durable = [&](std::int64_t saved, Saver::Seconds) {
                 training.acknowledge(saved);
               }});
  for (const std::int64_t last = step + training.saves; step < last;) {
    ++step;
    const auto copy = std::make_shared<SmallState>(SmallState::at(step, training.rows, rank, size));
    saver.begin(copy->state(copy), SmallState::info(step));
    if (training.mode == SaveMode::sync) saver.wait();
  }
  saver.finish();
}

}  // namespace peerless::reliability
