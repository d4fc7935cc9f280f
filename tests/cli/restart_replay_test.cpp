// Training N steps equals training k, stopping in any way, resuming, and N - k: bit for bit, and in metrics.jsonl.
#include <gtest/gtest.h>

#include <map>
#include <regex>

#include "tests/cli/small_job.h"
#include "tests/cli/variants.h"

namespace peerless {
namespace {

using test::kStopped;
using test::kVariants;
using test::Outcome;
using test::Process;
using test::SmallJob;
using test::Variant;

// The numbers of the steps whose log lines an outcome's process printed (log.every_steps is 1).
std::vector<int> steps_executed(const Outcome& outcome) {
  const std::regex line(R"(step (\d+)/\d+ )");
  std::vector<int> steps;
  for (std::sregex_iterator it(outcome.err.begin(), outcome.err.end(), line), end; it != end; ++it)
    steps.push_back(std::stoi((*it)[1]));
  return steps;
}

std::vector<int> range(int first, int last) {
  std::vector<int> numbers;
  for (int i = first; i <= last; ++i) numbers.push_back(i);
  return numbers;
}

class RestartReplay : public testing::TestWithParam<Variant> {
 protected:
  std::vector<std::string> with(std::vector<std::string> more) const {
    auto all = GetParam().settings;
    all.insert(all.end(), more.begin(), more.end());
    return all;
  }
  void expect_same_runs(const std::string& a, const std::string& b) const {
    const auto diff = job.diff(a, b);
    EXPECT_EQ(diff.code, 0) << diff;
    EXPECT_EQ(diff.out, "identical\n");
    EXPECT_EQ(job.metrics(a), job.metrics(b));
  }
  SmallJob job;
};
INSTANTIATE_TEST_SUITE_P(Every, RestartReplay, testing::ValuesIn(kVariants),
                         [](const auto& test) { return test.param.name; });

TEST_P(RestartReplay, AfterStopAt) {
  const auto whole = job.train("whole", with({}));
  ASSERT_EQ(whole.code, 0) << whole;
  EXPECT_EQ(steps_executed(whole), range(1, 40));
  const auto first = job.train("parts", with({"train.stop_at=17"}));
  EXPECT_EQ(first.code, 0) << first;
  const auto second = job.train("parts", with({}));
  EXPECT_EQ(second.code, 0) << second;
  EXPECT_EQ(steps_executed(second), range(18, 40));
  expect_same_runs("whole", "parts");
}

// First, last and in between, at a checkpoint and beside one, and twice.
TEST_P(RestartReplay, AfterPausesAnywhere) {
  ASSERT_EQ(job.train("whole", with({})).code, 0);
  int step = 0;
  for (const int pause : {1, 10, 39}) {
    const auto part = job.train("parts", with({"train.stop_at=" + std::to_string(pause)}));
    EXPECT_EQ(part.code, 0) << part;
    EXPECT_EQ(steps_executed(part), range(step + 1, pause));
    step = pause;
  }
  EXPECT_EQ(steps_executed(job.train("parts", with({}))), range(40, 40));
  expect_same_runs("whole", "parts");
}

class StoppedRun : public RestartReplay {
 protected:
  // Sixteen micro-batches make a step long enough to be met by a signal. A stop leaves the evaluation for later.
  std::vector<std::string> long_steps() const { return with({"train.global_batch_size=64", "eval.every_steps=1"}); }
  void SetUp() override { ASSERT_EQ(job.train("whole", long_steps()).code, 0); }
  void expect_equal_to_whole(const std::string& name) const { expect_same_runs("whole", name); }
  static bool thoroughly() { return GetParam().name == kVariants.front().name; }
};
INSTANTIATE_TEST_SUITE_P(Every, StoppedRun, testing::ValuesIn(kVariants.begin(), kVariants.begin() + kStopped),
                         [](const auto& test) { return test.param.name; });

TEST_P(StoppedRun, GoesOnAfterASignal) {
  const std::vector<int> all{SIGTERM, SIGUSR1, SIGINT, SIGHUP};
  for (const int signal : thoroughly() ? all : std::vector{SIGTERM}) {
    const std::string name = "signal" + std::to_string(signal);
    const Process process = job.start(name, long_steps());
    ASSERT_TRUE(process.prints("step 13/40"));
    process.signal(signal);
    const auto stopped = process.wait();
    EXPECT_EQ(stopped.code, 75) << stopped;
    EXPECT_NE(stopped.err.find("asks to stop"), std::string::npos) << stopped;
    const int last = steps_executed(stopped).back();
    EXPECT_NE(stopped.err.find("checkpoint of step " + std::to_string(last) + " is durable"), std::string::npos)
        << stopped;
    const auto resumed = job.train(name, long_steps());
    EXPECT_EQ(resumed.code, 0) << resumed;
    EXPECT_EQ(steps_executed(resumed), range(last + 1, 40));
    const std::string evaluation = "eval small at step " + std::to_string(last) + ":";
    EXPECT_EQ(stopped.err.find(evaluation), std::string::npos) << stopped;
    EXPECT_NE(resumed.err.find(evaluation), std::string::npos) << resumed;
    expect_equal_to_whole(name);
  }
}

TEST_P(StoppedRun, GoesOnFromTheLastCheckpointAfterAKill) {
  const std::vector<int> all{1, 10, 23, 39};
  for (const int step : thoroughly() ? all : std::vector{23}) {
    const std::string name = "killed" + std::to_string(step);
    const Process process = job.start(name, long_steps());
    ASSERT_TRUE(process.prints("step " + std::to_string(step) + "/40"));
    process.signal(SIGKILL);
    EXPECT_EQ(process.wait().code, 128 + SIGKILL);
    const auto resumed = job.train(name, long_steps());
    EXPECT_EQ(resumed.code, 0) << resumed;
    EXPECT_EQ((steps_executed(resumed).front() - 1) % 10, 0);
    expect_equal_to_whole(name);
  }
}

class PausedRun : public testing::Test {
 protected:
  SmallJob job;
};

TEST_F(PausedRun, LeavesNoRecordOfItsPauseInTheMetrics) {
  const auto with = [](std::vector<std::string> more) {
    more.insert(more.end(), {"log.every_steps=10", "train.max_steps=25", "eval.every_steps=7"});
    return more;
  };
  ASSERT_EQ(job.train("straight", with({})).code, 0);
  ASSERT_EQ(job.train("paused", with({"train.stop_at=13"})).code, 0);
  ASSERT_EQ(job.train("paused", with({})).code, 0);
  EXPECT_EQ(job.metrics("straight"), job.metrics("paused"));
}

TEST_F(PausedRun, IsDoneWhenItIsResumedAtItsEnd) {
  ASSERT_EQ(job.train("whole").code, 0);
  const auto metrics = job.metrics("whole");
  const auto again = job.train("whole");
  EXPECT_EQ(again.code, 0) << again;
  EXPECT_TRUE(steps_executed(again).empty());
  EXPECT_NE(again.err.find("done: step 40 of 40, runs/whole"), std::string::npos) << again;
  EXPECT_EQ(job.metrics("whole"), metrics);
  EXPECT_NE(test::content(job.of_run("whole") / "status.json").find(R"("state":"done","code":0,"step":40)"),
            std::string::npos);
}

TEST_F(PausedRun, ASignalInTheLastStepMakesNoUnfinishedRunOfIt) {
  // The handler's flag is seen after the step, which is then the last.
  const std::map<std::string, std::vector<std::string>> without_evaluation{{"a", {"eval.every_steps=0"}},
                                                                           {"b", {"data.val=[]", "eval={}"}}};
  for (auto [name, settings] : without_evaluation) {
    settings.insert(settings.end(), {"train.max_steps=14", "train.global_batch_size=256"});
    const Process process = job.start(name, settings);
    ASSERT_TRUE(process.prints("step 13/14"));
    process.signal(SIGTERM);
    const auto outcome = process.wait();
    EXPECT_EQ(outcome.code, 0) << outcome;
    EXPECT_EQ(steps_executed(outcome), range(1, 14));
  }
}

// The first save of a process is taken for as long as the last one of the process before it.
TEST_F(PausedRun, WhereNoSaveFitsIntoTheGraceNoneIsBegun) {
  ASSERT_EQ(job.train("a", {"train.global_batch_size=256", "train.stop_at=5"}).code, 0);
  const auto journal = job.of_run("a") / "journal.json";
  test::write(journal, R"({"version":1,"starts":0,"durable":5,"rollbacks":0,"save_ms":90000})");
  const Process process =
      job.start("a", {"train.global_batch_size=256", "train.grace_seconds=60", "checkpoint.every_steps=40"});
  ASSERT_TRUE(process.prints("step 7/40"));
  process.signal(SIGTERM);
  const auto stopped = process.wait();
  EXPECT_EQ(stopped.code, 75) << stopped;
  EXPECT_NE(stopped.err.find(" are left of train.grace_seconds, and the last save took 90 s; "), std::string::npos)
      << stopped;
  EXPECT_NE(stopped.err.find("goes on from step 5\n"), std::string::npos) << stopped;
  EXPECT_EQ(stopped.err.find("is durable\n"), std::string::npos) << stopped;
  const auto status = test::content(job.of_run("a") / "status.json");
  EXPECT_NE(status.find(R"("durable":5,)"), std::string::npos) << status;
}

TEST_F(PausedRun, NorIsTheLastOne) {
  const auto with_stop = [](const std::string& stop) -> std::vector<std::string> {
    return {"train.global_batch_size=256", "model.n_layers=12", "train.grace_seconds=60", stop};
  };
  ASSERT_EQ(job.train("a", with_stop("train.stop_at=1")).code, 0);
  test::write(job.of_run("a") / "journal.json",
              R"({"version":1,"starts":0,"durable":1,"rollbacks":0,"save_ms":90000})");
  const Process process = job.start("a", with_stop("train.stop_at=3"));
  ASSERT_TRUE(process.prints("step 2/3"));
  process.signal(SIGTERM);
  const auto stopped = process.wait();
  EXPECT_EQ(stopped.code, 75) << stopped;
  EXPECT_NE(stopped.err.find("; 2 steps to redo"), std::string::npos) << stopped;
  EXPECT_NE(stopped.err.find("goes on from step 1\n"), std::string::npos) << stopped;
  EXPECT_EQ(job.train("a", with_stop("train.stop_at=3")).code, 0);
}

TEST_F(PausedRun, TwoInterruptsEndItAtOnce) {
  const Process process = job.start("a", {"train.global_batch_size=256"});
  ASSERT_TRUE(process.prints("step 3/40"));
  process.signal(SIGINT);
  process.signal(SIGINT);
  for (int i = 0; i < 50; ++i) {  // two at once may arrive as one
    std::this_thread::sleep_for(std::chrono::milliseconds(1));
    process.signal(SIGINT);
  }
  EXPECT_EQ(process.wait().code, 130);
}

}  // namespace
}  // namespace peerless
