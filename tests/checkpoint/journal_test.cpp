#include "peerless/checkpoint/journal.h"

#include <gtest/gtest.h>

#include "tests/support/complaint.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using namespace std::chrono_literals;
using test::Complaint;
using test::complaint;

constexpr const char* kFile = "/run/journal.json";
constexpr std::int64_t kMost = 3;

class JournalTest : public testing::Test {
 protected:
  JournalTest() { files_.make_folder("/run"); }
  Complaint start() {
    return complaint([&] { Journal(files_, kFile).start(kMost); });
  }
  MemoryFiles files_;
};

TEST_F(JournalTest, RemembersWhatItIsTold) {
  {
    Journal journal(files_, kFile);
    EXPECT_EQ(journal.rollbacks(), 0);
    journal.start(kMost);
    EXPECT_EQ(journal.last_save(), 0ms);
    journal.durable(300, 850ms);
    EXPECT_EQ(journal.durable(), 300);
    journal.roll_back({200, 8320});
  }
  EXPECT_EQ(files_.content(kFile),
            "{\"version\":1,\"starts\":0,\"durable\":200,\"rollbacks\":1,\"save_ms\":850,"
            "\"skip\":{\"step\":200,\"samples\":8320}}\n");
  Journal again(files_, kFile);
  EXPECT_EQ(again.durable(), 200);
  EXPECT_EQ(again.last_save(), 850ms);
  EXPECT_EQ(again.rollbacks(), 1);
  EXPECT_EQ(again.go_on_from(200, 8000), 8320);
}

TEST_F(JournalTest, SamplesAreLeftOutAfterTheCheckpointThatTheRunWentBackToAlone) {
  Journal(files_, kFile).roll_back({200, 8320});
  EXPECT_EQ(Journal(files_, kFile).go_on_from(300, 12000), 12000);
  EXPECT_EQ(Journal(files_, kFile).go_on_from(200, 8000), 8320);
  EXPECT_EQ(Journal(files_, kFile).go_on_from(100, 4000), 4000);
  EXPECT_EQ(Journal(files_, kFile).go_on_from(200, 8000), 8000) << "which was saved anew since";
}

TEST_F(JournalTest, TooManyStartsWithoutProgressAreRefused) {
  for (int i = 0; i < kMost; ++i) EXPECT_EQ(start(), Complaint{});
  const Complaint refused{
      ExitCode::no_progress,
      "/run: 3 starts in a row ended before a checkpoint newer than step 0 was durable; see log.txt "
      "for why; a larger train.max_restarts tries again"};
  EXPECT_EQ(start(), refused);
  EXPECT_EQ(start(), refused);
  EXPECT_NO_THROW(Journal(files_, kFile).start(kMost + 1));
}

TEST_F(JournalTest, ProgressGivesNewStarts) {
  for (int round = 0; round < 3; ++round) {
    EXPECT_EQ(start(), Complaint{});
    EXPECT_EQ(start(), Complaint{});
    Journal journal(files_, kFile);
    journal.start(kMost);
    journal.durable(100 * round, 0ms);
  }
}

// Nor does it forgive those that failed before.
TEST_F(JournalTest, AStartThatEndsInOrderDoesNotCount) {
  const auto start_and_end = [&] {
    Journal journal(files_, kFile);
    journal.start(kMost);
    journal.end();
  };
  for (int i = 1; i < kMost; ++i) {
    EXPECT_EQ(start(), Complaint{});
    for (int j = 0; j < 5; ++j) start_and_end();
  }
  EXPECT_EQ(start(), Complaint{});
  EXPECT_EQ(complaint(start_and_end).code, ExitCode::no_progress);
}

TEST_F(JournalTest, OneThatCannotBeReadIsSetAside) {
  for (const auto* const text : {"", "{}", "nonsense", "{\"version\":2,\"starts\":0,\"durable\":0,\"rollbacks\":0}",
                                 "{\"version\":1,\"starts\":0,\"durable\":0,\"rollbacks\":0,\"save_ms\":-1}",
                                 "{\"version\":1,\"starts\":-1,\"durable\":0,\"rollbacks\":0}",
                                 "{\"version\":1,\"starts\":0,\"durable\":0,\"rollbacks\":0,\"skip\":3}"}) {
    files_.put(kFile, text);
    EXPECT_EQ(start(), Complaint{}) << text;
    EXPECT_EQ(files_.content("/run/aside-journal.json"), text);
    EXPECT_EQ(Journal(files_, kFile).rollbacks(), 0);
    files_.remove(kFile);
  }
}

TEST_F(JournalTest, IsWholeWhateverTheDiskKeeps) {
  for (std::uint64_t seed = 0; seed < 200; ++seed) {
    MemoryFiles files;
    files.make_folder("/run");
    files.sync_folder("/");
    FaultyFiles dying(files);
    std::int64_t told = 0;
    dying.arm(fail_from(static_cast<int>(1 + seed % 40), EIO));
    try {
      Journal journal(dying, kFile);
      for (std::int64_t step = 1; step < 5; ++step) {
        journal.roll_back({step, step});
        told = step;
      }
    } catch (const IoError&) {
      // The power is gone.
    }
    files.crash(seed);
    const Journal journal(files, kFile);
    EXPECT_GE(journal.rollbacks(), told) << seed;
    EXPECT_FALSE(exists(files, "/run/aside-journal.json")) << seed;
  }
}

TEST_F(JournalTest, AFullDiskEndsNoRun) {
  FaultyFiles full(files_);
  Journal journal(full, kFile);
  full.arm(fail_from(1, ENOSPC));
  EXPECT_NO_THROW(journal.durable(1, 1ms));
  EXPECT_NO_THROW(journal.end());
  EXPECT_EQ(complaint([&] { journal.roll_back({1, 2}); }).code, ExitCode::io);
}

}  // namespace
}  // namespace peerless
