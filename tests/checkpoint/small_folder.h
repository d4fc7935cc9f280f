// A folder of checkpoints of small runs, in memory, on a disk that may be made to fail.
#pragma once

#include <gtest/gtest.h>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "tests/checkpoint/small_state.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless::test {

class SmallFolder : public testing::Test {
 protected:
  void save(std::int64_t step) {
    SmallRun run(step);
    folder.save(run.state(), run.info());
  }

  // What the newest good checkpoint holds; checked against what was saved.
  std::int64_t newest() {
    const auto checkpoint = folder.newest_intact();
    if (!checkpoint) return -1;
    SmallRun run;
    checkpoint->load(run.state());
    EXPECT_EQ(run, SmallRun(checkpoint->info().step));
    return run.step;
  }

  std::string& content(std::int64_t step, const std::string& name) {
    return files.content(folder.path() / step_name(step) / name);
  }

  const std::string part = "state-00000-of-00001.safetensors";
  MemoryFiles files;
  FaultyFiles faulty{files};
  CheckpointFolder folder{faulty, "/runs/a/checkpoints"};
};

}  // namespace peerless::test
