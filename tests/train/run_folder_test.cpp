#include "peerless/train/run_folder.h"

#include <gtest/gtest.h>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "tests/support/complaint.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using test::Complaint;
using test::complaint;

constexpr const char* kRun = "/runs/a";

Complaint opening(Files& files, RunMode mode = RunMode::begin_or_go_on) {
  return complaint([&] { RunFolder::open(files, kRun, mode); });
}

TEST(RunFolder, IsTheSameRunWheneverItIsOpened) {
  MemoryFiles files;
  const auto id = RunFolder::open(files, kRun, RunMode::begin_or_go_on).id();
  EXPECT_EQ(id.size(), 32u);
  EXPECT_EQ(RunFolder::open(files, kRun, RunMode::go_on).id(), id);
  EXPECT_NE(RunFolder::open(files, "/runs/b", RunMode::begin).id(), id);
}

TEST(RunFolder, BelongsToOneProcess) {
  MemoryFiles files;
  const auto first = RunFolder::open(files, kRun, RunMode::begin_or_go_on);
  const auto second = opening(files);
  EXPECT_EQ(second.code, ExitCode::output);
  EXPECT_TRUE(second.text.starts_with("/runs/a: in use by process ")) << second;
}

TEST(RunFolder, BelongsToOneProcessOnDisk) {
  const TemporaryFolder folder;
  const auto open = [&] { return RunFolder::open(disk(), folder / "a", RunMode::begin_or_go_on); };
  {
    const auto first = open();
    EXPECT_TRUE(complaint(ExitCode::output, open).starts_with(concat(folder / "a", ": in use by process ")));
  }
  EXPECT_EQ(complaint(ExitCode::output, open), "");
}

TEST(RunFolder, WhatIsNoRunOfOursIsLeftAlone) {
  MemoryFiles files;
  files.make_folder("/runs");
  files.put(kRun, "a file");
  EXPECT_EQ(opening(files),
            (Complaint{ExitCode::output, "/runs/a: is not a folder; choose another run.name or run.dir"}));
  files.remove(kRun);
  files.make_folder(kRun);
  files.put("/runs/a/thesis.txt", "mine");
  EXPECT_EQ(opening(files),
            (Complaint{ExitCode::output, "/runs/a: holds 'thesis.txt', and no run of ours; choose another run.name"}));
  EXPECT_EQ(files.tree("/runs"), (std::map<std::filesystem::path, std::string>{{"/runs/a/thesis.txt", "mine"}}));
}

// One in which the run's folder is of another owner or mode than files in it; or all are, whoever made them.
class OfAnother : public MemoryFiles {
 public:
  bool is_strangers = false, is_open_to_all = false, all_alike = false;
  std::optional<FileInfo> info(const Path& entry) const override {
    auto info = MemoryFiles::info(entry);
    if (info && (all_alike || entry == Path(kRun) / ".")) {
      info->owner = 65534;
      info->is_strangers = is_strangers;
      info->is_open_to_all = is_open_to_all;
    }
    return info;
  }
};

TEST(RunFolder, IsNoneThatAnotherUserMayChange) {
  OfAnother files;
  files.is_strangers = true;
  EXPECT_EQ(opening(files), (Complaint{ExitCode::output,
                                       "/runs/a: belongs to another user; go on as that one, or choose another "
                                       "run.name or run.dir"}));
  files.is_open_to_all = true;
  EXPECT_EQ(opening(files), (Complaint{ExitCode::output,
                                       "/runs/a: may be written by all users; chmod o-w it, or choose another run.name "
                                       "or run.dir"}));
  EXPECT_TRUE(files.list(kRun).empty());
}

TEST(RunFolder, MayLieWhereAllHasOneOwnerAndMode) {
  OfAnother files;
  files.is_strangers = files.is_open_to_all = files.all_alike = true;
  EXPECT_EQ(opening(files), (Complaint{ExitCode::ok, ""}));
}

TEST(RunFolder, MayBeALinkToAnotherPlace) {
  const TemporaryFolder folder;
  std::filesystem::create_directory(folder / "there");
  { RunFolder::open(disk(), folder / "there/a", RunMode::begin); }
  std::filesystem::create_directory_symlink("there/a", folder / "a");
  const auto open = [&] { return complaint([&] { RunFolder::open(disk(), folder / "a", RunMode::go_on); }); };
  EXPECT_EQ(open(), (Complaint{ExitCode::ok, ""}));
  std::filesystem::permissions(folder / "there/a", std::filesystem::perms::all);
  EXPECT_EQ(open().code, ExitCode::output);
}

TEST(RunFolder, ARunMayOnlyBeginWhereNoneHasCheckpoints) {
  MemoryFiles files;
  { RunFolder::open(files, kRun, RunMode::begin); }
  EXPECT_EQ(opening(files, RunMode::begin).code, ExitCode::ok);  // a first start that came to nothing
  files.make_folder("/runs/a/checkpoints/step-000000000001");
  EXPECT_EQ(opening(files, RunMode::begin),
            (Complaint{ExitCode::output,
                       "/runs/a: already holds a run; choose another run.name, or go on with it by --resume auto"}));
}

TEST(RunFolder, ARunMayOnlyGoOnWhereThereIsOne) {
  MemoryFiles files;
  EXPECT_EQ(opening(files, RunMode::go_on),
            (Complaint{ExitCode::no_input,
                       "/runs/a: no run is here to go on with; --from begins a run with a checkpoint of another"}));
  EXPECT_FALSE(exists(files, "/runs"));
}

TEST(RunFolder, WhereCheckpointsCannotBeMadeNoRunIsOpened) {
  MemoryFiles memory;
  FaultyFiles files(memory);
  files.arm([](const Operation& operation) {
    if (operation.verb == "create" && operation.path.parent_path() == "/runs/a/checkpoints") operation.fail(EACCES);
  });
  EXPECT_EQ(opening(files),
            (Complaint{ExitCode::output, "/runs/a/checkpoints/.probe.tmp: cannot create: Permission denied"}));
  files.arm([](const Operation& operation) {
    if (operation.verb == "open" && operation.path == "/runs/a/id") operation.fail(EACCES);
  });
  EXPECT_EQ(opening(files), (Complaint{ExitCode::output, "/runs/a/id: cannot open: Permission denied"}));
}

TEST(RunFolder, AFirstStartThatDiedAnywhereIsNoObstacle) {
  int operations = 0;
  {
    MemoryFiles memory;
    FaultyFiles files(memory);
    const auto folder = RunFolder::open(files, kRun, RunMode::begin);
    operations = files.operations();  // what it does when it ends may fail
  }
  ASSERT_GT(operations, 5);
  for (int i = 1; i <= operations; ++i) {
    for (const Loss loss : {Loss::nothing, Loss::unsynced_data, Loss::unsynced_names, Loss::unsynced}) {
      MemoryFiles files;
      FaultyFiles dying(files);
      dying.arm(fail_from(i, EIO));
      EXPECT_EQ(opening(dying).code, ExitCode::io);
      files.crash(loss);
      EXPECT_EQ(opening(files), (Complaint{ExitCode::ok, ""})) << "operation " << i;
    }
  }
}

// A folder that is there need not be durable.
TEST(RunFolder, ACheckpointIsDurableWhereverTheStartBeforeDied) {
  for (int i = 1; i <= 20; ++i) {
    MemoryFiles files;
    FaultyFiles dying(files);
    dying.arm(fail_from(i, EIO));
    opening(dying);
    {
      const auto folder = RunFolder::open(files, kRun, RunMode::begin_or_go_on);
      CheckpointFolder checkpoints(files, folder.checkpoints());
      checkpoints.settle();
      std::int64_t step = 100;
      State state;
      state.add("step", step);
      CheckpointInfo info;
      info.step = step;
      info.run = folder.id();
      checkpoints.save(state, info);
    }
    files.crash(Loss::unsynced);
    EXPECT_TRUE(CheckpointFolder(files, "/runs/a/checkpoints").newest_intact()) << "operation " << i;
  }
}

TEST(RunFolder, AnIdThatIsNoneIsNamed) {
  MemoryFiles files;
  { RunFolder::open(files, kRun, RunMode::begin); }
  files.content("/runs/a/id") = "nonsense";
  EXPECT_EQ(opening(files),
            (Complaint{ExitCode::data, "/runs/a/id: a digest has 32 hexadecimal digits, got \"nonsense\""}));
}

}  // namespace
}  // namespace peerless
