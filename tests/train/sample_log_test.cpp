#include "peerless/train/sample_log.h"

#include <gtest/gtest.h>

#include "tests/support/memory_files.h"

namespace peerless {
namespace {

TEST(SampleLogs, OfLaterStartsGoAndWhatIsNotOursStays) {
  MemoryFiles files;
  files.make_folder("/samples");
  for (const char* name : {"step-000000000004-rank-00000.tsv", "step-000000000008-rank-00001.tsv",
                           "step-000000000009-rank-00000.tsv", "step-000000000009.txt", "summary.txt", "zoo.tsv"})
    files.put(std::filesystem::path("/samples") / name, "x");
  start_sample_logs(files, "/samples", 8);
  EXPECT_EQ(files.list("/samples"), (std::vector<std::string>{"step-000000000004-rank-00000.tsv",
                                                              "step-000000000009.txt", "summary.txt", "zoo.tsv"}));
}

}  // namespace
}  // namespace peerless
