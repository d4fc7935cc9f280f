// The verbs that make and remove checkpoints beside training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "peerless/base/text.h"
#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using test::Outcome;
using test::SmallJob;
using testing::HasSubstr;

constexpr const char* kSteps = "runs/a/checkpoints/step-0000000000";

// A run with checkpoints of the steps 10 to 40.
class CheckpointVerbs : public testing::Test {
 protected:
  void SetUp() override {
    const auto trained = job.train("a", {"checkpoint.keep_last=4", "checkpoint.good_after=20"});
    ASSERT_EQ(trained.code, 0) << trained;
  }

  static void expect(const Outcome& outcome, int code, const std::string& text) {
    EXPECT_EQ(outcome.code, code) << outcome;
    EXPECT_THAT(code == 0 ? outcome.out : outcome.err, HasSubstr(text));
  }

  SmallJob job;
};

// The checkpoint of step 10 was found good at step 30; that of step 30 is on trial.
TEST_F(CheckpointVerbs, PruneSaysWhatItRemovesAndLeavesWhatTrainingGoesBackTo) {
  const auto kept = [&] { return job.run({"checkpoint", "ls", "runs/a"}).out; };
  const auto before = kept();
  const auto planned = job.run({"checkpoint", "prune", "runs/a", "--keep-last", "2", "--dry-run"});
  EXPECT_EQ(planned.out, concat("would remove ", kSteps, "20\n")) << planned;
  EXPECT_EQ(kept(), before);
  EXPECT_EQ(job.run({"checkpoint", "prune", "runs/a", "--keep-last", "2"}).out, concat("removed ", kSteps, "20\n"));
  EXPECT_THAT(kept(), testing::AllOf(HasSubstr("10  good"), HasSubstr("30  good"), HasSubstr("40  good")));
  const auto nothing = job.run({"checkpoint", "prune", "runs/a", "--keep-last", "2"});
  EXPECT_EQ(nothing.code, 0);
  EXPECT_EQ(nothing.out, "");
}

TEST_F(CheckpointVerbs, PruneRefusesWhatItMayNotDo) {
  expect(job.run({"checkpoint", "prune", "runs/a"}), 64, "--keep-last is required");
  expect(job.run({"checkpoint", "prune", "runs/a", "--keep-last", "1"}), 64, "--keep-last");
  expect(job.run({"checkpoint", "prune", "runs/b", "--keep-last", "2"}), 66, "runs/b: is no run");
  const auto training = job.start("a", {"--override", "train.max_steps", "train.max_steps=100000"});
  ASSERT_TRUE(training.prints("resuming from"));
  expect(job.run({"checkpoint", "prune", "runs/a", "--keep-last", "2"}), 73, "runs/a: in use by process ");
  training.signal(SIGKILL);
  training.wait();
}

TEST_F(CheckpointVerbs, AMeanIsEvaluatedSampledAndTrainedOn) {
  const auto at = [](int step) { return concat(kSteps, step); };
  expect(job.run({"checkpoint", "average", at(30), at(40), "runs/a", "--out", "mean"}), 0, "mean/step-000000000030\n");
  expect(job.run({"checkpoint", "verify", "mean"}), 0, "good");
  expect(job.run({"eval", "--checkpoint", "mean"}), 0, "mean/step-000000000030, step 30\nsmall: loss ");
  expect(job.run({"generate", "--checkpoint", "mean", "--prompt", "12", "--max-tokens", "4"}), 0, "12");
  EXPECT_EQ(job.train("b", {"--from", "mean", "--weights-only"}).code, 0);
  expect(job.train("c", {"--from", "mean", "train.max_steps=50"}), 78, "mean/step-000000000030: holds no tensor");
}

TEST_F(CheckpointVerbs, AMeanOfOneIsItselfToTheBit) {
  const auto eval = [&](const char* what) { return job.run({"eval", "--checkpoint", what}).out; };
  expect(job.run({"checkpoint", "average", "runs/a", "runs/a", "runs/a", "--out", "mean"}), 0, "mean/");
  const auto loss = [](const std::string& answer) { return answer.substr(answer.find('\n')); };
  EXPECT_EQ(loss(eval("mean")), loss(eval("runs/a")));
  EXPECT_THAT(job.run({"checkpoint", "diff", "runs/a", "mean"}).out, testing::Not(HasSubstr("model.")));
}

TEST_F(CheckpointVerbs, WhatHasNoMeanIsRefused) {
  expect(job.run({"checkpoint", "average", "runs/a", "--out", "mean"}), 64,
         "a mean is of two checkpoints or more, got 1");
  expect(job.run({"checkpoint", "average", "runs/a", "runs/a"}), 64, "--out is required");
  expect(job.run({"checkpoint", "average", "runs/a", "runs/a", "--out", "runs"}), 73, "runs: is not empty");
  ASSERT_EQ(job.train("b", {"model.n_heads=1", "train.max_steps=2", "--resume", "never"}).code, 0);
  expect(job.run({"checkpoint", "average", "runs/a", "runs/b", "--out", "mean"}), 78,
         "config.model.n_heads: 2 and 1; only checkpoints of one model have a mean");
}

}  // namespace
}  // namespace peerless
