#include "peerless/train/prune.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <cerrno>
#include <functional>
#include <iterator>
#include <set>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/train/probation.h"
#include "peerless/train/run_folder.h"
#include "tests/support/complaint.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using test::Complaint;
using test::complaint;

class PruneTest : public testing::Test {
 protected:
  using Steps = std::vector<std::int64_t>;

  PruneTest() { RunFolder::open(files, "/runs/a", RunMode::begin); }

  void save(std::int64_t step, const State& state) { folder.save(state, {step, "a", "0.1.0", "", {}, {}}); }

  // Each a hundred steps after the one before. `state` of the last is what training knows of them.
  void save_to(std::int64_t last, const State& state) {
    for (std::int64_t step = 100; step < last; step += 100) save(step, Probation().state());
    save(last, state);
  }

  // Of the folders that it returns; the others must be what is left.
  Steps pruned(std::int64_t keep_last, bool dry_run = false) {
    const auto before = folder.steps();
    Steps removed, left;
    for (const auto& path : prune(files, "/runs/a", keep_last, dry_run)) removed.push_back(step_in(path).value());
    std::ranges::set_difference(before, removed, std::back_inserter(left), std::greater());
    EXPECT_EQ(folder.steps(), dry_run ? before : left);
    return removed;
  }

  MemoryFiles files;
  CheckpointFolder folder{files, "/runs/a/checkpoints"};
};

TEST_F(PruneTest, RemovesAllButTheNewest) {
  save_to(500, Probation().state());
  EXPECT_EQ(prune(files, "/runs/a", 4, /*dry_run=*/true),
            std::vector<std::filesystem::path>{"/runs/a/checkpoints/step-000000000100"});
  EXPECT_EQ(pruned(3, /*dry_run=*/true), (Steps{200, 100}));
  EXPECT_EQ(pruned(3), (Steps{200, 100}));
  EXPECT_EQ(pruned(3), Steps{});
  EXPECT_EQ(pruned(2), Steps{300});
}

// Divergence goes back to the good one. The one on trial would be good soon, and must be there then.
TEST_F(PruneTest, KeepsWhatTrainingCountsOn) {
  Probation probation;
  probation.saved(100);
  ASSERT_TRUE(probation.step_done(250, /*went_well=*/true, /*after=*/150));
  probation.saved(300);
  save_to(600, probation.state());
  ASSERT_EQ(probation.kept(), (std::set<std::int64_t>{100, 300}));
  EXPECT_EQ(pruned(2), (Steps{400, 200}));
}

// What a damaged one would say is unknown.
TEST_F(PruneTest, TheNewestIntactOneSaysWhatThatIs) {
  Probation probation;
  probation.back_to(100);
  save_to(500, probation.state());
  save(600, Probation().state());
  files.content("/runs/a/checkpoints/step-000000000600/state-00000-of-00001.safetensors").pop_back();
  EXPECT_EQ(pruned(2), (Steps{300, 200}));
}

TEST_F(PruneTest, ACheckpointThatKnowsNothingOfItIsFine) {
  std::int64_t step = 0;
  State state;
  state.add("train.step", step);
  save_to(400, state);
  EXPECT_EQ(pruned(2), (Steps{200, 100}));
}

TEST_F(PruneTest, ARunWithoutCheckpointsHasNoneToRemove) { EXPECT_EQ(pruned(2), Steps{}); }

TEST_F(PruneTest, KeepsOutOfARunThatTrains) {
  save_to(500, Probation().state());
  const auto training = RunFolder::open(files, "/runs/a", RunMode::go_on);
  for (const bool dry_run : {false, true}) {
    const auto refused = complaint([&] { prune(files, "/runs/a", 2, dry_run); });
    EXPECT_EQ(refused.code, ExitCode::output);
    EXPECT_TRUE(refused.text.starts_with("/runs/a: in use by process ")) << refused;
  }
  EXPECT_EQ(folder.steps().size(), 5u);
}

// While the newest is verified, or one of the others, a process begins to save that took this one for dead.
TEST_F(PruneTest, ARunThatIsTakenOverMeanwhileIsLeftAlone) {
  save_to(500, Probation().state());
  const auto theirs = folder.path() / ".tmp-theirs";
  for (const std::int64_t verified : {500, 400}) {
    FaultyFiles faulty(files);
    faulty.arm([&](const Operation& operation) {
      if (operation.path.parent_path().filename() != step_name(verified) || exists(files, theirs)) return;
      files.make_folder(theirs);
      files.content("/runs/a/.owner") = "theirs";
    });
    EXPECT_EQ(complaint([&] { prune(faulty, "/runs/a", 2, /*dry_run=*/false); }).code, ExitCode::output);
    EXPECT_EQ(folder.steps(), (Steps{500, 400, 300, 200, 100}));
    files.remove(theirs);
    files.remove("/runs/a/.owner");
  }
}

TEST_F(PruneTest, WhatIsNoRunIsLeftAlone) {
  save_to(500, Probation().state());
  const auto before = files.tree("/");
  for (const auto* path : {"/runs/b", "/runs", "/runs/a/checkpoints", "/runs/a/checkpoints/step-000000000100"})
    EXPECT_EQ(complaint([&] { prune(files, path, 2, /*dry_run=*/false); }),
              (Complaint{ExitCode::no_input, concat(path, ": is no run; name the folder that `train` made")}));
  EXPECT_EQ(files.tree("/"), before);
}

// The run that saved the newest may have died before that was durable. A loss of power must not take it and the old.
TEST_F(PruneTest, WhatIsKeptIsDurableBeforeTheOthersGo) {
  save_to(300, Probation().state());
  const auto newest = folder.path() / step_name(300), hidden = folder.path() / ".tmp-step-300";
  files.rename(newest, hidden);
  files.sync_folder(folder.path());
  files.rename(hidden, newest);
  FaultyFiles faulty(files);
  faulty.arm([&](const Operation& operation) {
    if (operation.verb != "rename" || !step_in(operation.path)) return;
    files.crash(Loss::unsynced);
    operation.fail(EIO);
  });
  EXPECT_THROW(prune(faulty, "/runs/a", 2, /*dry_run=*/false), IoError);
  EXPECT_EQ(folder.steps(), (Steps{300, 200, 100}));
}

}  // namespace
}  // namespace peerless
