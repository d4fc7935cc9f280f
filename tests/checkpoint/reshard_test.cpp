#include "peerless/checkpoint/reshard.h"

#include <gtest/gtest.h>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/diff.h"
#include "tests/checkpoint/small_state.h"
#include "tests/support/complaint.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

TEST(Reshard, AnyNumberOfFilesHoldsTheSame) {
  MemoryFiles files;
  test::SmallRun run(40);
  CheckpointFolder(files, "/run").save(run.state(), run.info());
  const auto whole = find_checkpoint(files, "/run");
  std::filesystem::path last = "/run";
  for (const int parts : {3, 1, 7, 2}) {
    const auto folder = std::filesystem::path(concat("/in", parts));
    reshard(files, find_checkpoint(files, last), folder, parts);
    const auto made = find_checkpoint(files, folder);
    EXPECT_EQ(made.manifest().files.size(), static_cast<std::size_t>(parts));
    EXPECT_EQ(diff(whole, made, {}), std::vector<std::string>{});
    last = folder;
  }
}

// Least of all one that a run saves into.
TEST(Reshard, AFolderThatHoldsSomethingIsRefused) {
  MemoryFiles files;
  test::SmallRun run(40);
  CheckpointFolder(files, "/run").save(run.state(), run.info());
  EXPECT_EQ(test::complaint([&] { reshard(files, find_checkpoint(files, "/run"), "/run", 2); }),
            (test::Complaint{ExitCode::output, "/run: is not empty; name a new folder"}));
}

TEST(Reshard, NoFileIsTooFew) {
  MemoryFiles files;
  test::SmallRun run(40);
  CheckpointFolder(files, "/run").save(run.state(), run.info());
  EXPECT_EQ(test::complaint([&] { reshard(files, find_checkpoint(files, "/run"), "/none", 0); }),
            (test::Complaint{ExitCode::usage, "a checkpoint has at least one file, got 0"}));
}

}  // namespace
}  // namespace peerless
