#include "peerless/train/metrics_log.h"

#include <gtest/gtest.h>

#include "tests/support/memory_files.h"

namespace peerless {
namespace {

const std::string kThree = "{\"step\":10,\"loss\":3}\n{\"step\":20,\"loss\":2}\n{\"step\":20,\"eval\":{}}\n";

class MetricsLogTest : public testing::Test {
 protected:
  void SetUp() override { files.make_folder("/run"); }
  // What is left of `content` when a run goes on after `last_step`.
  std::string left_of(const std::string& content, std::int64_t last_step) {
    files.put("/run/metrics.jsonl", content);
    const MetricsLog log(files, "/run", last_step);
    return files.content("/run/metrics.jsonl");
  }
  MemoryFiles files;
};

TEST_F(MetricsLogTest, WritesARecordALine) {
  MetricsLog log(files, "/run", 0);
  log.write({{"step", 1}, {"loss", 2.5}});
  log.write({{"step", 2}, {"perf", {{"tokens_per_sec", 9}}}});
  EXPECT_EQ(files.content("/run/metrics.jsonl"),
            "{\"step\":1,\"loss\":2.5}\n{\"step\":2,\"perf\":{\"tokens_per_sec\":9}}\n");
}

TEST_F(MetricsLogTest, CutsWhatIsBeyondTheStep) {
  EXPECT_EQ(left_of(kThree, 20), kThree);
  EXPECT_EQ(left_of(kThree, 19), kThree.substr(0, 21));
  EXPECT_EQ(left_of(kThree, 9), "");
}

TEST_F(MetricsLogTest, TellsWhetherTheStepWasEvaluated) {
  for (const auto& [step, evaluated] : {std::pair{19, false}, {20, true}, {21, false}}) {
    files.put("/run/metrics.jsonl", kThree);
    EXPECT_EQ(MetricsLog(files, "/run", step).evaluated(), evaluated) << step;
  }
}

TEST_F(MetricsLogTest, CutsALastLineThatIsTorn) {
  for (std::size_t size = 0; size < kThree.size(); ++size) {
    const auto left = left_of(kThree.substr(0, size), 20);
    EXPECT_TRUE(left.empty() || left.back() == '\n');
    EXPECT_LE(size - left.size(), 22u);
  }
}

TEST_F(MetricsLogTest, CutsFromTheFirstLineThatIsNoRecord) {
  EXPECT_EQ(left_of("{\"step\":1}\n" + std::string(4, '\0') + "\n{\"step\":2}\n", 9), "{\"step\":1}\n");
  EXPECT_EQ(left_of("{\"step\":1}\n{\"loss\":2}\n{\"step\":2}\n", 9), "{\"step\":1}\n");
  EXPECT_EQ(left_of("[1]\n", 9), "");
}

TEST_F(MetricsLogTest, AFileOfAnySizeIsReadInPieces) {
  std::string all, kept;
  for (int step = 1; all.size() < (3 << 20); ++step) {
    all += concat("{\"step\":", step, ",\"text\":\"", std::string(static_cast<std::size_t>(step % 700), 'x'), "\"}\n");
    if (step <= 5000) kept = all;
  }
  ASSERT_LT(kept.size() + (1 << 20), all.size());
  EXPECT_TRUE(left_of(all, 5000) == kept);
}

TEST_F(MetricsLogTest, WhatWasSyncedSurvives) {
  MetricsLog log(files, "/run", 0);
  log.write({{"step", 1}});
  log.sync();
  log.write({{"step", 2}});
  files.crash(Loss::unsynced_data);
  EXPECT_EQ(files.content("/run/metrics.jsonl"), "{\"step\":1}\n");
}

}  // namespace
}  // namespace peerless
