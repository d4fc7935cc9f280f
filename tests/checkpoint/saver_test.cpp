#include "peerless/checkpoint/saver.h"

#include <gmock/gmock.h>

#include <functional>
#include <future>
#include <utility>

#include "tests/checkpoint/small_state.h"
#include "tests/support/complaint.h"
#include "tests/support/faulty_files.h"
#include "tests/support/local_peers.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using test::complaint;
using test::Complaint;
using test::SmallRun;
using ::testing::ElementsAre;
using ::testing::HasSubstr;

constexpr const char* kFolder = "/run/checkpoints";
constexpr const char* kFull = ": cannot make folder: No space left on device";

class SaverTest : public testing::Test {
 protected:
  // A run whose tensors all belong to rank 0.
  static void begin(Saver& saver, SmallRun& run, std::int64_t rank = 0) {
    saver.begin(rank == 0 ? run.state() : State(), run.info());
  }
  Saver::Options options() {
    return {.keep_last = 2, .patience = 3, .on_durable = [this](std::int64_t step, Saver::Seconds taken) {
              durable_.push_back(step);
              EXPECT_GE(taken.count(), 0);
            }};
  }
  std::vector<std::int64_t> steps() { return CheckpointFolder(memory_, kFolder).steps(); }

  // No folder can be made while it holds: the disk is full.
  static void no_folder(const Operation& operation) {
    if (operation.verb == "make folder" && operation.path.filename() != "checkpoints") operation.fail(ENOSPC);
  }

  MemoryFiles memory_;
  FaultyFiles files_{memory_};
  NoPeers alone_;
  std::vector<std::int64_t> durable_;
};

TEST_F(SaverTest, SavesBesideTheRunOneAfterAnother) {
  std::promise<void> go;
  files_.arm([&, wait = go.get_future().share()](const Operation& operation) {
    if (operation.verb == "sync") wait.wait();
  });
  SmallRun first(1), second(2), third(3);
  Saver saver(files_, kFolder, alone_, options());
  begin(saver, first);  // returns, although it cannot end
  EXPECT_TRUE(saver.busy());
  EXPECT_EQ(steps().size(), 0u);
  auto next = std::async(std::launch::async, [&] {
    begin(saver, second);
    begin(saver, third);
    saver.finish();
    saver.idle();
  });
  EXPECT_EQ(next.wait_for(std::chrono::milliseconds(50)), std::future_status::timeout);
  go.set_value();
  next.get();
  EXPECT_FALSE(saver.busy());
  EXPECT_THAT(durable_, ElementsAre(1, 2, 3));
  EXPECT_THAT(steps(), ElementsAre(3, 2));
  SmallRun loaded;
  CheckpointFolder(memory_, kFolder).open(3).load(loaded.state());
  EXPECT_EQ(loaded, third);
}

TEST_F(SaverTest, WhoWaitsForADiskThatHangsSaysSo) {
  std::promise<void> go;
  files_.arm([wait = go.get_future().share()](const Operation& operation) {
    if (operation.verb == "sync") wait.wait();
  });
  auto hasty = options();
  hasty.late = std::chrono::milliseconds(10);
  SmallRun run(7);
  testing::internal::CaptureStderr();
  {
    Saver saver(files_, kFolder, alone_, hasty);
    begin(saver, run);
    auto end = std::async(std::launch::async, [&] { saver.drain(); });
    EXPECT_EQ(end.wait_for(std::chrono::milliseconds(100)), std::future_status::timeout);
    go.set_value();
  }
  EXPECT_THAT(testing::internal::GetCapturedStderr(),
              HasSubstr("warning: step 7: waits for its checkpoint since 0 s; if it stays so, a disk hangs"));
}

TEST_F(SaverTest, WhatFailsOnceIsSavedAtTheSecondAttempt) {
  for (int operation = 1;; ++operation) {
    MemoryFiles memory;
    FaultyFiles files(memory);
    files.arm(fail_at(operation, EIO));
    SmallRun run(1);
    Saver saver(files, kFolder, alone_, {.keep_last = 2, .patience = 1});
    begin(saver, run);
    EXPECT_NO_THROW(saver.finish()) << "operation " << operation;
    saver.idle();
    EXPECT_NO_THROW(CheckpointFolder(memory, kFolder).open(1)) << "operation " << operation;
    if (files.operations() < operation) break;
  }
}

TEST_F(SaverTest, WhenTheLastSyncFailsAllIsWrittenOnceMore) {
  int written = 0, renamed = 0;
  files_.arm([&](const Operation& operation) {
    if (operation.verb == "create" && operation.path.extension() == ".safetensors") ++written;
    if (operation.verb == "rename" && operation.path.filename().string().starts_with(".tmp-")) ++renamed;
    if (operation.verb == "sync folder" && operation.path == kFolder && renamed == 1 && written == 1)
      operation.fail(EIO);
  });
  SmallRun run(1);
  Saver saver(files_, kFolder, alone_, options());
  begin(saver, run);
  EXPECT_NO_THROW(saver.finish());
  EXPECT_EQ(written, 2);
  EXPECT_EQ(renamed, 2);
  EXPECT_THAT(steps(), ElementsAre(1));
}

// Changes a byte of such a file when it is opened to be read back, whenever `lies` says so.
Hook flip_what_is_read_back(MemoryFiles& memory, const char* extension, std::function<bool()> lies) {
  return [&memory, extension, lies = std::move(lies)](const Operation& operation) {
    const bool is_new = operation.path.parent_path().filename().string().starts_with(".tmp-");
    if (operation.verb == "open" && is_new && operation.path.extension() == extension && lies())
      memory.content(operation.path).back() ^= 1;
  };
}

TEST_F(SaverTest, WhatReadsOtherwiseThanItWasWrittenIsSavedAtTheSecondAttempt) {
  Saver saver(files_, kFolder, alone_, options());
  std::int64_t step = 0;
  for (const char* const extension : {".safetensors", ".json"}) {
    bool lie = true;
    files_.arm(flip_what_is_read_back(memory_, extension, [&] { return std::exchange(lie, false); }));
    SmallRun run(++step), loaded;
    begin(saver, run);
    EXPECT_NO_THROW(saver.finish());
    saver.idle();
    EXPECT_FALSE(lie);
    Checkpoint::open_verified(memory_, std::filesystem::path(kFolder) / step_name(step)).load(loaded.state());
    EXPECT_EQ(loaded, run);
  }
}

TEST_F(SaverTest, WhatAlwaysReadsOtherwiseIsASaveThatFails) {
  files_.arm(flip_what_is_read_back(memory_, ".safetensors", [] { return true; }));
  Saver saver(files_, kFolder, alone_, options());
  for (const std::int64_t step : {1, 2}) {
    SmallRun run(step);
    begin(saver, run);
    const auto failure = complaint([&] { saver.finish(); });
    EXPECT_EQ(failure.code, ExitCode::io);
    EXPECT_THAT(failure.text, HasSubstr("safetensors: changed since it was written, at bytes 0 to "));
    EXPECT_FALSE(saver.failed());
  }
  SmallRun last(3);
  begin(saver, last);
  const auto failure = complaint([&] { saver.finish(); });
  EXPECT_EQ(failure.code, ExitCode::io);
  EXPECT_THAT(failure.text, HasSubstr("3 saves in a row have failed: the checkpoint of step 3 is not saved: "));
  EXPECT_TRUE(steps().empty());
}

TEST_F(SaverTest, TheRunGoesOnWithoutAFewSavesThatFail) {
  Saver saver(files_, kFolder, alone_, options());
  for (const std::int64_t step : {1, 2, 3, 4, 5, 6}) {
    const bool full = step == 2 || step == 3 || step == 5;
    files_.arm(full ? no_folder : Hook());
    SmallRun run(step);
    begin(saver, run);
    const auto failure =
        concat("the checkpoint of step ", step, " is not saved: ", kFolder, "/.tmp-", step_name(step), "-r1", kFull);
    EXPECT_EQ(complaint([&] { saver.finish(); }), (full ? Complaint{ExitCode::io, failure} : Complaint{}));
    saver.idle();
    EXPECT_FALSE(saver.failed());
  }
  EXPECT_THAT(durable_, ElementsAre(1, 4, 6));
  EXPECT_THAT(steps(), ElementsAre(6, 4));
}

TEST_F(SaverTest, TooManyInARowEndIt) {
  Saver saver(files_, kFolder, alone_, options());
  SmallRun run(1);
  begin(saver, run);
  saver.finish();
  saver.idle();
  files_.arm(no_folder);
  for (const std::int64_t step : {2, 3, 4}) {
    EXPECT_FALSE(saver.failed());
    SmallRun failing(step);
    begin(saver, failing);
    while (saver.busy()) std::this_thread::yield();
  }
  EXPECT_TRUE(saver.failed());
  const Complaint out_of_patience{
      ExitCode::io, concat("3 saves in a row have failed: the checkpoint of step 4 is not saved: ", kFolder,
                           "/.tmp-step-000000000004-r1", kFull)};
  EXPECT_EQ(complaint([&] { begin(saver, run); }), out_of_patience);
  EXPECT_EQ(complaint([&] { saver.finish(); }), out_of_patience);
  EXPECT_THAT(steps(), ElementsAre(1));
}

TEST_F(SaverTest, WhoMayNotCommitLeavesTheFolderAsItIs) {
  auto fenced = options();
  bool mine = true;
  fenced.may_commit = [&] {
    if (!mine) throw Error(ExitCode::output, "taken over");
  };
  Saver saver(files_, kFolder, alone_, fenced);
  SmallRun first(1), second(2);
  begin(saver, first);
  saver.finish();
  saver.idle();
  mine = false;
  const auto others = concat(kFolder, "/.tmp-step-000000000002-r1/state-00000-of-00001.safetensors");
  memory_.make_folder(std::filesystem::path(others).parent_path());
  memory_.put(others, "half of it");
  const auto before = memory_.tree("/run");
  begin(saver, second);
  EXPECT_EQ(complaint([&] { saver.finish(); }), (Complaint{ExitCode::output, "taken over"}));
  EXPECT_TRUE(saver.failed());
  EXPECT_EQ(memory_.tree("/run"), before);
}

// It may change hands while old checkpoints are verified.
TEST_F(SaverTest, WhoMayNotCommitRemovesNothing) {
  CheckpointFolder before(memory_, kFolder);
  for (const std::int64_t step : {1, 2}) {
    SmallRun run(step);
    before.save(run.state(), run.info());
  }
  auto fenced = options();
  bool mine = true;
  fenced.may_commit = [&] {
    if (!mine) throw Error(ExitCode::output, "taken over");
  };
  files_.arm([&](const Operation& operation) {
    if (operation.verb == "read" && operation.path.parent_path().filename() == step_name(2)) mine = false;
  });
  Saver saver(files_, kFolder, alone_, fenced);
  SmallRun third(3);
  begin(saver, third);
  EXPECT_NO_THROW(saver.finish());
  saver.idle();
  EXPECT_FALSE(mine);
  EXPECT_THAT(memory_.list(kFolder), ElementsAre(step_name(1), step_name(2), step_name(3)));
}

TEST_F(SaverTest, ADiskThatIsReadOnlyOfASuddenIsADiskThatFails) {
  Saver saver(files_, kFolder, alone_, options());
  SmallRun first(1), second(2), third(3);
  begin(saver, first);
  saver.finish();
  saver.idle();
  files_.arm([](const Operation& operation) {
    if (operation.verb == "make folder" || operation.verb == "create") operation.fail(EROFS);
  });
  begin(saver, second);
  EXPECT_EQ(complaint([&] { saver.finish(); }).code, ExitCode::io);
  EXPECT_FALSE(saver.failed());
  files_.arm();
  begin(saver, third);
  EXPECT_NO_THROW(saver.finish());
}

TEST_F(SaverTest, LeftoversThatCannotBeRemovedDoNotDisturb) {
  memory_.make_folder("/run");
  memory_.make_folder(kFolder);
  memory_.make_folder(concat(kFolder, "/.trash-step-000000000000"));
  files_.arm([](const Operation& operation) {
    if (operation.verb == "remove" && operation.path.filename().string().starts_with(".trash-")) operation.fail(EBUSY);
  });
  Saver saver(files_, kFolder, alone_, options());
  SmallRun run(1);
  begin(saver, run);
  EXPECT_NO_THROW(saver.finish());
  EXPECT_THAT(steps(), ElementsAre(1));
}

TEST_F(SaverTest, NobodyWaitsForOldOnesToBeRemoved) {
  std::promise<void> go;
  Saver saver(files_, kFolder, alone_, options());
  for (const std::int64_t step : {1, 2, 3}) {
    if (step == 3)
      files_.arm([wait = go.get_future().share()](const Operation& operation) {
        if (operation.verb == "rename" && operation.path.filename() == step_name(1)) wait.wait();
      });
    SmallRun run(step);
    begin(saver, run);
    saver.finish();
    if (step < 3) saver.idle();
  }
  EXPECT_THAT(steps(), ElementsAre(3, 2, 1));
  EXPECT_FALSE(saver.busy());
  SmallRun next(4);
  begin(saver, next);  // of several processes the others have begun theirs already
  EXPECT_TRUE(saver.busy());
  go.set_value();
  saver.finish();
  saver.idle();
  EXPECT_THAT(steps(), ElementsAre(4, 3));
}

TEST_F(SaverTest, ABrokenInvariantEndsTheRunAtOnce) {
  Saver saver(files_, kFolder, alone_, options());
  SmallRun run(1);
  State half;
  half.add({"weight", DType::f32, {8, 3}, {0, 0}, {4, 3}, std::as_writable_bytes(std::span(run.weight)), nullptr});
  saver.begin(std::move(half), run.info());
  EXPECT_THAT(complaint([&] { saver.finish(); }).text, HasSubstr("the slices saved do not tile the tensor"));
  EXPECT_TRUE(saver.failed());
}

TEST_F(SaverTest, ProcessesFailAndSucceedTogether) {
  test::with_peers(3, [&](Peers& peers) {
    FaultyFiles files(memory_);
    const auto rank = peers.rank();
    auto told = options();
    if (rank != 0) told.on_durable = [](std::int64_t, Saver::Seconds) { ADD_FAILURE(); };
    Saver saver(files, kFolder, peers, told);
    const auto save = [&](std::int64_t step) {
      SmallRun run(step);
      begin(saver, run, rank);
      return complaint([&] { saver.finish(); }).code;
    };
    EXPECT_EQ(save(1), ExitCode::ok);
    if (rank == 2) files.arm(fail_from(1, ENOSPC));
    EXPECT_EQ(save(2), ExitCode::io);
    files.arm();
    EXPECT_EQ(save(3), ExitCode::ok);
    if (rank == 1) files.arm(fail_from(1, ENOSPC));
    EXPECT_EQ(save(4), ExitCode::io);
    EXPECT_EQ(save(5), ExitCode::io);
    EXPECT_FALSE(saver.failed());
    EXPECT_EQ(save(6), ExitCode::io);
    EXPECT_TRUE(saver.failed());
  });
  EXPECT_THAT(durable_, ElementsAre(1, 3));
  EXPECT_THAT(steps(), ElementsAre(3, 1));
}

}  // namespace
}  // namespace peerless
