// Rank 0 reads all of a checkpoint, which may take longer than an exchange may: the others wait as long as it lives.
#include <gmock/gmock.h>

#include "tests/cli/several.h"
#include "tests/reliability/trainer/fault.h"

namespace peerless {
namespace {

using reliability::Fault;
using reliability::SharedFault;
using test::Settings;
using testing::HasSubstr;

class SlowReads : public test::Several {
 protected:
  void SetUp() override { fault.reset(); }

  // Two processes that wait 2 s for each other, and a checkpoint's manifest that rank 0 reads for twice as long.
  std::vector<test::Process> start_with_a_slow_read(Settings settings) {
    fault->delay_read_ms = 4000;
    settings.insert(settings.end(), {"train.threads=1", "parallel.timeout_seconds=2"});
    std::vector<test::Process> started;
    for (int rank = 0; rank < 2; ++rank) {
      auto own = meet(rank, 2, "file:meeting");
      own.insert(own.begin(), settings.begin(), settings.end());
      rank == 0 ? setenv(Fault::kVariable, file.c_str(), /*overwrite=*/1) : unsetenv(Fault::kVariable);
      started.push_back(job.start("a", own, "faulty_peerless"));
    }
    return started;
  }
  // What rank 0 has said when the read begins, or when it ends without one.
  std::string said_before_the_read(const test::Process& first) {
    while (fault->delay_read_ms != 0 && !first.ended()) std::this_thread::sleep_for(std::chrono::milliseconds(1));
    EXPECT_EQ(fault->delay_read_ms, 0) << "nothing was read";
    return first.printed();
  }

  const test::fs::path file = job.folder() / "fault";
  SharedFault fault{file};
};

TEST_F(SlowReads, AtAStartOthersWait) {
  ASSERT_EQ(job.train("a", {"train.stop_at=2"}).code, 0);
  const auto started = start_with_a_slow_read({"train.stop_at=4"});
  said_before_the_read(started[0]);
  const auto outcomes = wait(started);
  expect_all(outcomes, 0);
  EXPECT_THAT(outcomes[0].err, HasSubstr("resuming from runs/a/checkpoints/step-000000000002, step 2"));
}

// Losses that only scatter, and a threshold that makes spikes of many.
TEST_F(SlowReads, InARollbackOthersWait) {
  const auto started = start_with_a_slow_read(
      {"train.max_steps=160", "checkpoint.every_steps=60", "checkpoint.good_after=1", "eval.every_steps=0",
       "optim.lr=1e-9", "train.spike_threshold=0.5", "train.max_spike_steps=1", "train.max_rollbacks=1"});
  EXPECT_THAT(said_before_the_read(started[0]), HasSubstr("checkpoint of step 120 is durable"));
  const auto outcomes = wait(started);
  expect_all(outcomes, 80);
  EXPECT_THAT(outcomes[0].err, HasSubstr(": going back to step 120, and leaving out the samples since"));
  for (const auto& outcome : outcomes)
    EXPECT_THAT(outcome.err, HasSubstr("; it has gone back 1 times before (train.max_rollbacks)"));
}

}  // namespace
}  // namespace peerless
