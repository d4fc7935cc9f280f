// What a run is left alone with: how often it may start without progress, and go back when it diverges.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstring>
#include <limits>

#include "tests/cli/saved_again.h"
#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using test::Outcome;
using testing::HasSubstr;
using Settings = std::vector<std::string>;

class Budgets : public testing::Test {
 protected:
  test::SmallJob job;

  void kill_before_a_checkpoint(const std::string& name, const Settings& settings) {
    const auto process = job.start(name, settings);
    ASSERT_TRUE(process.prints("step 1/"));
    process.signal(SIGKILL);
    process.wait();
  }
  void diverge(const std::string& name, const Settings& more) {
    Settings settings{"optim.lr=1e30", "--override", "optim.lr", "train.max_skipped_steps=2"};
    settings.insert(settings.end(), more.begin(), more.end());
    const auto outcome = job.train(name, settings);
    EXPECT_EQ(outcome.code, 80) << outcome;
  }
};

TEST_F(Budgets, StartsWithoutProgressAreRefusedAfterSome) {
  const Settings settings{"train.max_restarts=1", "train.max_steps=100000", "checkpoint.every_steps=100000"};
  kill_before_a_checkpoint("a", settings);
  kill_before_a_checkpoint("a", settings);
  const auto refused = job.train("a", settings);
  EXPECT_EQ(refused.code, 81) << refused;
  EXPECT_THAT(refused.err, HasSubstr(" what=\"runs/a: 2 starts in a row ended before a checkpoint newer "
                                     "than step 0 was durable; see log.txt for why; a larger "
                                     "train.max_restarts tries again\"\n"));
  EXPECT_THAT(test::content(job.of_run("a") / "status.json"), HasSubstr("\"failed\",\"code\":81"));
  EXPECT_EQ(job.train("a", {"train.max_restarts=2", "train.max_steps=2"}).code, 0);
}

TEST_F(Budgets, StartsThatEndInOrderOrMakeProgressAreFree) {
  const Settings settings{"train.max_restarts=0", "train.max_steps=100000", "checkpoint.every_steps=1"};
  for (int i = 0; i < 2; ++i) {
    const auto killed = job.start("a", settings);
    ASSERT_TRUE(killed.prints("is durable"));
    killed.signal(SIGKILL);
    killed.wait();
  }
  for (int i = 0; i < 2; ++i) {
    const auto stopped = job.start("a", settings);
    ASSERT_TRUE(stopped.prints("resuming from"));
    ASSERT_TRUE(stopped.prints("step "));
    stopped.signal(SIGTERM);
    EXPECT_EQ(stopped.wait().code, 75);
    EXPECT_EQ(job.train("a", {"train.max_restarts=0", "model.d_model=32"}).code, 78);
  }
}

TEST_F(Budgets, StartsThatDivergeAreRefusedAfterSome) {
  ASSERT_EQ(job.train("a", {"train.stop_at=10"}).code, 0);
  for (int i = 0; i < 2; ++i) diverge("a", {"train.max_restarts=1"});
  const auto refused = job.train("a", {"train.max_restarts=1"});
  EXPECT_EQ(refused.code, 81) << refused;
  EXPECT_THAT(refused.err, HasSubstr("2 starts in a row ended before a checkpoint newer than step 10 was durable"));
  EXPECT_EQ(job.train("a", {"train.max_restarts=2"}).code, 0);
}

TEST_F(Budgets, ADivergenceThatItsUserHasMendedIsForgotten) {
  ASSERT_EQ(job.train("a", {"train.stop_at=10"}).code, 0);
  for (int i = 0; i < 2; ++i) diverge("a", {});
  const auto mended = job.train("a", {"optim.lr=5e-4", "--override", "optim.lr"});
  EXPECT_EQ(mended.code, 0) << mended;
  EXPECT_THAT(test::content(job.of_run("a") / "journal.json"), HasSubstr("\"starts\":0,\"durable\":40"));
}

// Losses that only scatter: a low threshold makes a few of them spikes.
class Rollback : public Budgets {
 protected:
  const Settings settings{
      "train.max_steps=240",       "checkpoint.every_steps=20", "checkpoint.good_after=5",    "eval.every_steps=0",
      "train.spike_threshold=2.2", "train.max_spike_steps=1",   "train.max_rollbacks=99",     "optim.lr=1e-9",
      "train.global_batch_size=4", "log.samples=true",          "train.max_skipped_steps=10", "checkpoint.keep_last=2"};

  Settings with(Settings more) const {
    more.insert(more.begin(), settings.begin(), settings.end());
    return more;
  }
  void expect_same(const std::string& a, const std::string& b) const {
    const auto diff = job.diff(a, b);
    EXPECT_EQ(diff.code, 0) << diff;
    EXPECT_TRUE(job.metrics(a) == job.metrics(b)) << "metrics.jsonl differ";
  }
};

TEST_F(Rollback, GoesBackToAGoodCheckpointAndLeavesOutWhatFollowed) {
  const auto whole = job.train("whole", settings);
  ASSERT_EQ(whole.code, 0) << whole;
  ASSERT_THAT(whole.err, testing::ContainsRegex("the loss was a spike in 1 steps in a row .*: going back to step "
                                                "[0-9]+, and leaving out the samples since .rollback 1 of 99."));
  const auto metrics = job.metrics("whole");
  EXPECT_NE(metrics.find("\"step\":240"), std::string::npos);
  EXPECT_EQ(std::count(metrics.begin(), metrics.end(), '\n'), 240) << "one record a step, of those that count";
  EXPECT_EQ(metrics.find("\"samples\":960}"), std::string::npos) << "samples were left out";
  EXPECT_THAT(test::content(job.of_run("whole") / "journal.json"), HasSubstr("\"skip\":{\"step\":"));
}

TEST_F(Rollback, RepeatsBitForBitAfterAKill) {
  ASSERT_EQ(job.train("whole", settings).code, 0);
  const auto killed = job.start("a", settings);
  ASSERT_TRUE(killed.prints("going back to step"));
  killed.signal(SIGKILL);
  killed.wait();
  for (const char* const stop : {"train.stop_at=170", "train.stop_at=201"}) {
    const auto part = job.train("a", with({stop}));
    ASSERT_EQ(part.code, 0) << part;
  }
  ASSERT_EQ(job.train("a", settings).code, 0);
  expect_same("whole", "a");
}

// A step that the run went back to may be saved anew, by a start from an older checkpoint: then nothing is left out.
TEST_F(Rollback, IsUndoneByAStartFromAnOlderCheckpoint) {
  const auto back = job.train("a", with({"train.max_rollbacks=1", "checkpoint.keep_last=99"}));
  ASSERT_EQ(back.code, 80) << back;
  const auto journal = test::content(job.of_run("a") / "journal.json");
  const auto at = journal.find("\"skip\":{\"step\":");
  ASSERT_NE(at, std::string::npos) << journal;
  const auto step = std::stoi(journal.substr(at + std::strlen("\"skip\":{\"step\":")));
  const auto older = concat("runs/a/checkpoints/step-000000000", step < 120 ? "0" : "", step - 20);
  const auto stop = concat("train.stop_at=", step);
  for (const auto& more : {Settings{"train.spike_threshold=0", "--resume", older, stop}, {"train.spike_threshold=0"}}) {
    const auto outcome = job.train("a", with(more));
    ASSERT_EQ(outcome.code, 0) << outcome;
  }
  const auto metrics = job.metrics("a");
  EXPECT_THAT(metrics.substr(metrics.rfind("{\"step\":240,")), HasSubstr("\"samples\":960,"));
}

TEST_F(Rollback, EndsWhenTheBudgetIsSpent) {
  const auto outcome = job.train("a", with({"train.max_rollbacks=1"}));
  EXPECT_EQ(outcome.code, 80) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("; it has gone back 1 times before (train.max_rollbacks)"));
}

TEST_F(Rollback, FromACheckpointThatHoldsANan) {
  ASSERT_EQ(job.train("a", {"checkpoint.good_after=5", "train.stop_at=20"}).code, 0);
  const auto to_nan = [](DType, std::span<std::byte> element) {
    constexpr float kNan = std::numeric_limits<float>::quiet_NaN();
    std::memcpy(element.data(), &kNan, sizeof kNan);
  };
  test::save_again(job.of_run("a"), 20, "model.decoder.layers.0.attention.q.weight", to_nan);
  const auto resumed =
      job.train("a", {"checkpoint.good_after=5", "train.max_skipped_steps=3", "train.max_rollbacks=1"});
  EXPECT_EQ(resumed.code, 0) << resumed;
  EXPECT_THAT(resumed.err, HasSubstr("resuming from"));
  EXPECT_THAT(resumed.err, HasSubstr("step 23: loss or gradient was not finite in 3 steps in a row "
                                     "(train.max_skipped_steps); nothing of them was applied: going back to step 10"));
  EXPECT_TRUE(exists(disk(), job.of_run("a") / "checkpoints" / "aside-step-000000000020"));
}

}  // namespace
}  // namespace peerless
