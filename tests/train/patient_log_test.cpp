#include "peerless/train/patient_log.h"

#include <gmock/gmock.h>

#include <algorithm>

#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

constexpr const char* kFile = "/run/lines";

TEST(PatientLog, GoesOnWithAFile) {
  MemoryFiles files;
  files.make_folder("/run");
  files.put(kFile, "one\n");
  PatientLog log(files, kFile);
  log.write("two\n");
  EXPECT_EQ(files.content(kFile), "one\ntwo\n");
}

// The disk is full from one operation to another, halves of records arrive: in the end all are there, once.
TEST(PatientLog, ADiskThatWasFullHasAllInTheEnd) {
  for (int from = 1; from < 20; ++from) {
    for (int last = from; last < 30; last += 3) {
      MemoryFiles files;
      files.make_folder("/run");
      FaultyFiles faulty(files);
      PatientLog log(faulty, kFile);
      faulty.arm([&](const Operation& operation) {
        if (operation.number < from || operation.number > last) return;
        if (operation.half) operation.half();
        operation.fail(ENOSPC);
      });
      std::string all;
      const auto write = [&](int i) {
        log.write(concat("record ", i, "\n"));
        all += concat("record ", i, "\n");
      };
      for (int i = 0; i < 20; ++i) {
        write(i);
        if (i % 3 == 0) log.sync();
      }
      faulty.arm();
      write(20);
      EXPECT_EQ(files.content(kFile), all) << from << " to " << last;
    }
  }
}

// What is too much to keep is counted, and the rest stays in order.
TEST(PatientLog, SaysHowManyRecordsWereDropped) {
  MemoryFiles files;
  files.make_folder("/run");
  FaultyFiles faulty(files);
  PatientLog log(faulty, kFile);
  const std::string record(std::size_t{8} << 20, '.');
  testing::internal::CaptureStderr();
  faulty.arm(fail_from(1, ENOSPC));
  for (int i = 0; i < 11; ++i) log.write(record);
  faulty.arm();
  log.write("last\n");
  log.write("and another\n");
  const auto said = testing::internal::GetCapturedStderr();
  EXPECT_THAT(said, testing::ContainsRegex("warning: /run/lines: can be written again; 3 records were dropped\n"));
  EXPECT_EQ(std::count(said.begin(), said.end(), '\n'), 2) << said;
  const auto content = files.content(kFile);
  EXPECT_EQ(content.size(), 8 * record.size() + 17);
  EXPECT_TRUE(content.ends_with("last\nand another\n"));
}

TEST(PatientLog, WhatIsSyncedSurvivesALossOfPower) {
  MemoryFiles files;
  files.make_folder("/run");
  files.sync_folder("/");
  PatientLog log(files, kFile);
  files.sync_folder("/run");
  log.write("one\n");
  log.sync();
  log.write("two\n");
  files.crash(Loss::unsynced);
  EXPECT_EQ(files.content(kFile), "one\n");
}

}  // namespace
}  // namespace peerless
