// The verbs that make and remove checkpoints beside training.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <memory>

#include "peerless/base/text.h"
#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using test::Outcome;
using test::SmallJob;
using testing::HasSubstr;

std::string at(const std::string& run, int step) { return concat("runs/", run, "/checkpoints/step-0000000000", step); }

// A run with checkpoints of the steps 10 to 40.
class CheckpointVerbs : public testing::Test {
 protected:
  static void SetUpTestSuite() {
    job = std::make_unique<SmallJob>();
    const auto trained = job->train("a", {"checkpoint.keep_last=4", "checkpoint.good_after=25"});
    ASSERT_EQ(trained.code, 0) << trained;
  }
  static void TearDownTestSuite() { job.reset(); }

  static void copy_run(const std::string& name) {
    std::filesystem::copy(job->of_run("a"), job->of_run(name), std::filesystem::copy_options::recursive);
  }
  static Outcome checkpoint(std::vector<std::string> arguments) {
    arguments.insert(arguments.begin(), "checkpoint");
    return job->run(arguments);
  }
  static void expect(const Outcome& outcome, int code, const std::string& text) {
    EXPECT_EQ(outcome.code, code) << outcome;
    EXPECT_THAT(code == 0 ? outcome.out : outcome.err, HasSubstr(text));
  }

  static inline std::unique_ptr<SmallJob> job;
};

// Training found the checkpoint of step 10 good at step 35; that of step 30 has been on trial since.
TEST_F(CheckpointVerbs, PruneSaysWhatItRemovesAndLeavesWhatTrainingGoesBackTo) {
  copy_run("p");
  const auto planned = checkpoint({"prune", "runs/p", "--keep-last", "2", "--dry-run"});
  EXPECT_EQ(planned.out, concat("would remove ", at("p", 20), "\n")) << planned;
  EXPECT_TRUE(std::filesystem::exists(job->folder() / at("p", 20)));
  EXPECT_EQ(checkpoint({"prune", "runs/p", "--keep-last", "2"}).out, concat("removed ", at("p", 20), "\n"));
  EXPECT_FALSE(std::filesystem::exists(job->folder() / at("p", 20)));
  for (const int step : {10, 30, 40}) EXPECT_TRUE(std::filesystem::exists(job->folder() / at("p", step)));
  const auto nothing = checkpoint({"prune", "runs/p", "--keep-last", "2"});
  EXPECT_EQ(nothing.code, 0);
  EXPECT_EQ(nothing.out, "");
}

TEST_F(CheckpointVerbs, PruneRefusesWhatItMayNotDo) {
  expect(checkpoint({"prune", "runs/a"}), 64, "--keep-last is required");
  expect(checkpoint({"prune", "runs/a", "--keep-last", "1"}), 64, "--keep-last");
  expect(checkpoint({"prune", "runs/none", "--keep-last", "2"}), 66, "runs/none: is no run");
  copy_run("q");
  const auto training = job->start("q", {"--override", "train.max_steps", "train.max_steps=100000"});
  ASSERT_TRUE(training.prints("resuming from"));
  expect(checkpoint({"prune", "runs/q", "--keep-last", "2"}), 73, "runs/q: in use by process ");
  training.signal(SIGKILL);
  training.wait();
}

TEST_F(CheckpointVerbs, AMeanIsEvaluatedSampledAndTrainedOn) {
  expect(checkpoint({"average", at("a", 30), at("a", 40), "runs/a", "--out", "mean"}), 0, "mean/step-000000000030\n");
  expect(checkpoint({"verify", "mean"}), 0, "intact");
  expect(job->run({"eval", "--checkpoint", "mean"}), 0, "mean/step-000000000030, step 30\nsmall: loss ");
  expect(job->run({"generate", "--checkpoint", "mean", "--prompt", "12", "--max-tokens", "4"}), 0, "12");
  EXPECT_EQ(job->train("b", {"--from", "mean", "--weights-only"}).code, 0);
  expect(job->train("c", {"--from", "mean", "train.max_steps=50"}), 78, "mean/step-000000000030: holds no tensor");
}

TEST_F(CheckpointVerbs, AMeanOfOneIsItselfToTheBit) {
  const auto eval = [&](const char* what) { return job->run({"eval", "--checkpoint", what}).out; };
  expect(checkpoint({"average", "runs/a", "runs/a", "runs/a", "--out", "same"}), 0, "same/");
  const auto loss = [](const std::string& answer) { return answer.substr(answer.find('\n')); };
  EXPECT_EQ(loss(eval("same")), loss(eval("runs/a")));
  EXPECT_THAT(checkpoint({"diff", "runs/a", "same"}).out, testing::Not(HasSubstr("model.")));
}

TEST_F(CheckpointVerbs, WhatHasNoMeanIsRefused) {
  expect(checkpoint({"average", "runs/a", "--out", "none"}), 64, "a mean is of two checkpoints or more, got 1");
  expect(checkpoint({"average", "runs/a", "runs/a"}), 64, "--out is required");
  expect(checkpoint({"average", "runs/a", "runs/a", "--out", "runs"}), 73, "runs: is not empty");
  ASSERT_EQ(job->train("d", {"model.n_heads=1", "train.max_steps=2", "--resume", "never"}).code, 0);
  expect(checkpoint({"average", "runs/a", "runs/d", "--out", "none"}), 78,
         "config.model.n_heads: 2 and 1; only checkpoints of one model have a mean");
}

}  // namespace
}  // namespace peerless
