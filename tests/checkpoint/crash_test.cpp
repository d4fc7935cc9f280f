// Runs that save, clear away and crash at random, on a disk that keeps any part of what was not synced.
#include <gtest/gtest.h>

#include <random>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "tests/checkpoint/small_state.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using test::SmallRun;

constexpr std::int64_t kKept = 2;

class Life {
 public:
  explicit Life(std::uint64_t seed) : random_(seed) {}

  // One process, from its start to its death; then the power goes, as often as not.
  void live() {
    FaultyFiles dying(files_);
    dying.arm(fail_from(static_cast<int>(1 + random_() % 150), EIO));
    CheckpointFolder folder(dying, kFolder);
    try {
      go_on(folder);
      for (int saves = 0; saves < 4; ++saves) save(folder);
    } catch (const Error&) {
      // Dead.
    }
    switch (random_() % 4) {
      case 0:
        return files_.crash(Loss::nothing);
      case 1:
        return files_.crash(Loss::unsynced);
      default:
        return files_.crash(random_());
    }
  }

  void check() {
    const CheckpointFolder folder(files_, kFolder);
    const auto found = folder.newest_intact();
    const std::int64_t newest = found ? found->info().step : 0;
    ASSERT_GE(newest, acknowledged_.empty() ? 0 : acknowledged_.back());
    for (std::size_t i = acknowledged_.size() < kKept ? 0 : acknowledged_.size() - kKept; i < acknowledged_.size();
         ++i) {
      SmallRun run;
      ASSERT_NO_THROW(folder.open(acknowledged_[i]).load(run.state())) << acknowledged_[i];
      ASSERT_EQ(run, SmallRun(acknowledged_[i]));
    }
  }

  std::size_t acknowledged() const { return acknowledged_.size(); }

 private:
  static constexpr const char* kFolder = "/run/checkpoints";

  void go_on(CheckpointFolder& folder) {
    folder.settle();
    const auto newest = folder.newest_intact();
    step_ = newest ? newest->info().step : 0;
    if (newest) acknowledge(step_);
  }
  void save(CheckpointFolder& folder) {
    SmallRun run(++step_);
    folder.save(run.state(), run.info());
    acknowledge(step_);
    folder.prune(kKept);
  }
  void acknowledge(std::int64_t step) {
    if (acknowledged_.empty() || acknowledged_.back() < step) acknowledged_.push_back(step);
  }

  std::mt19937_64 random_;
  MemoryFiles files_;
  std::int64_t step_ = 0;
  std::vector<std::int64_t> acknowledged_;
};

TEST(Crashes, AtRandomCostNothingAcknowledged) {
  std::size_t acknowledged = 0;
  for (std::uint64_t seed = 1; seed <= 100; ++seed) {
    Life life(seed);
    for (int deaths = 0; deaths < 12; ++deaths) {
      life.live();
      life.check();
      if (HasFatalFailure()) FAIL() << "seed " << seed << ", death " << deaths;
    }
    acknowledged += life.acknowledged();
  }
  EXPECT_GT(acknowledged, 500u);
}

}  // namespace
}  // namespace peerless
