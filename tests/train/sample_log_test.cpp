#include "peerless/train/sample_log.h"

#include <gtest/gtest.h>

#include "tests/data/shards.h"
#include "tests/support/memory_files.h"
#include "tests/support/temporary_folder.h"

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

TEST(SampleLogs, TellWhatTheBatchesOfAStepHeldOnceItIsDone) {
  const TemporaryFolder folder;
  write_shard(folder / "train.tok", counting_documents(random_lengths(20, 30)));
  const DataConfig config{.seq_len = 8, .train = {{.path = (folder / "train.tok").string()}}, .val = {}};
  const TrainingData data(config, tokenizer_of(100), /*seed=*/1, /*global_batch=*/4);
  MemoryFiles files;
  files.make_folder("/samples");
  SampleLog log(files, "/samples", /*rank=*/1, /*first_step=*/4);
  const auto& written = files.content("/samples/step-000000000004-rank-00001.tsv");

  log.add(5, data.batch(6, 2), data);
  EXPECT_EQ(written, "");
  log.add(5, data.batch(3, 1), data);
  log.write();
  log.add(6, data.batch(9, 1), data);
  log.write();
  std::string lines;
  for (const auto& [step, position] : {std::pair(5, 6), {5, 7}, {5, 3}, {6, 9}})
    lines += concat(step, "\t", position, "\t0\t", data.sample(static_cast<std::uint64_t>(position)).sample, "\t0\n");
  EXPECT_EQ(written, lines);
}

}  // namespace
}  // namespace peerless
