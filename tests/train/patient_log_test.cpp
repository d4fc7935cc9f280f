#include "peerless/train/patient_log.h"

#include <gtest/gtest.h>

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
