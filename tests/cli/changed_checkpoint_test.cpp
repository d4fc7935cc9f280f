// A checkpoint holds what the next steps depend on, and nothing idle: one changed bit of each of these kinds ends in
// other bits. And what starts from another run's checkpoint takes over just what it was told to.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <algorithm>
#include <limits>

#include "tests/cli/saved_again.h"
#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using test::SmallJob;

// A counter's lowest one, or of a float's mantissa one in the middle.
void flip_a_bit(DType dtype, std::span<std::byte> element) {
  element[dtype == DType::i64 ? 0 : element.size() / 2] ^= std::byte{1};
}

void make_infinite(DType, std::span<std::byte> element) {
  constexpr float kInfinity = std::numeric_limits<float>::infinity();
  std::ranges::copy(std::as_bytes(std::span(&kInfinity, 1)), element.begin());
}

struct Kind {
  const char* name;
  const char* tensor;
};

class ChangedCheckpoint : public testing::TestWithParam<Kind> {
 protected:
  SmallJob job;
};
INSTANTIATE_TEST_SUITE_P(
    Every, ChangedCheckpoint,
    testing::Values(Kind{"weight", "model.decoder.layers.0.attention.q.weight"},
                    Kind{"table", "model.decoder.tables.layer1.weight"},
                    Kind{"first_moment", "optim.first.decoder.layers.0.ffw.up.weight"},
                    Kind{"second_moment", "optim.second.decoder.embedding"},
                    Kind{"moment_of_a_table", "optim.first.decoder.tables.layer1.weight"},
                    Kind{"update_counter", "optim.num_updates"}, Kind{"step_counter", "train.step"},
                    Kind{"position_in_the_data", "train.samples"},
                    Kind{"running_statistic", "model.decoder.layers.1.ffw.router.query_norm.running_mean"},
                    Kind{"running_square", "model.decoder.layers.1.ffw.router.query_norm.running_square"},
                    Kind{"count_of_statistics", "model.decoder.layers.1.ffw.router.query_norm.num_commits"}),
    [](const auto& test) { return test.param.name; });

TEST_P(ChangedCheckpoint, EndsInOtherBits) {
  const std::vector<std::string> until_10{"train.stop_at=10"};
  ASSERT_EQ(job.train("a").code, 0);
  ASSERT_EQ(job.train("b", until_10).code, 0);
  test::save_again(job.of_run("b"), 10, GetParam().tensor, flip_a_bit);
  if (HasFatalFailure()) return;
  const auto resumed = job.train("b");
  ASSERT_EQ(resumed.code, 0) << resumed;
  const auto diff = job.diff("a", "b");
  EXPECT_EQ(diff.code, 1) << diff;
  EXPECT_EQ(diff.out.find("identical"), std::string::npos);
}

TEST(WeightsThatAreNotFinite, AreUsedOnlyWhereThatIsAllowed) {
  const SmallJob job;
  const std::string weight = "model.decoder.layers.0.attention.q.weight", allow = "--allow-nonfinite";
  ASSERT_EQ(job.train("a", {"train.stop_at=10"}).code, 0);
  test::save_again(job.of_run("a"), 10, weight, make_infinite);
  const auto expect = [](const test::Outcome& outcome, int code, const std::string& what) {
    EXPECT_EQ(outcome.code, code) << outcome;
    EXPECT_THAT(outcome.err, testing::HasSubstr(what));
  };
  const auto told = "runs/a/checkpoints/step-000000000010: tensor " + weight + " holds what is no finite number";
  expect(job.run({"eval", "--checkpoint", "runs/a"}), 65, told);
  expect(job.run({"eval", "--checkpoint", "runs/a", allow}), 0, "");
  expect(job.run({"generate", "--checkpoint", "runs/a", "--prompt", "1"}), 65, told);
  expect(job.run({"generate", "--checkpoint", "runs/a", "--prompt", "1", allow}), 65, "logits are not numbers");
  expect(job.train("b", {"--from", "runs/a"}), 65, told);
  expect(job.train("c", {"--from", "runs/a", "--weights-only"}), 65, told);
  expect(job.train("c", {"--from", "runs/a", "--weights-only", allow, "train.max_skipped_steps=2"}), 80, "DIVERGED");
  expect(job.train("a", {"train.max_skipped_steps=2"}), 80, "DIVERGED");  // its own rules decide
  test::save_again(job.of_run("a"), 10, weight,
                   [](DType, std::span<std::byte> element) { std::ranges::fill(element, std::byte{}); });
  test::save_again(job.of_run("a"), 10, "optim.second.decoder.embedding", make_infinite);
  expect(job.run({"eval", "--checkpoint", "runs/a"}), 0, "");
  expect(job.train("d", {"--from", "runs/a"}), 65, "tensor optim.second.decoder.embedding holds");
}

TEST(StartingFromAnotherRun, GoesOnWithItsWeightsMomentsAndData) {
  const SmallJob job;
  ASSERT_EQ(job.train("whole").code, 0);
  ASSERT_EQ(job.train("trunk", {"train.stop_at=20"}).code, 0);
  const auto branch = job.train("branch", {"--from", "runs/trunk"});
  ASSERT_EQ(branch.code, 0) << branch;
  EXPECT_EQ(job.diff("whole", "branch").out, "tensor train.on_trial: 10 and 30\n") << "its first checkpoint";
}

TEST(StartingFromAnotherRun, MayHaveAScheduleOfItsOwnButNoOtherModel) {
  const SmallJob job;
  ASSERT_EQ(job.train("trunk", {"train.stop_at=20"}).code, 0);
  const auto cooldown = job.train(
      "cooldown", {"--from", "runs/trunk", "train.max_steps=24", "schedule={kind: wsd, warmup: 0, decay: 4}"});
  EXPECT_EQ(cooldown.code, 0) << cooldown;
  const auto other = job.train("other", {"--from", "runs/trunk", "model.d_model=32"});
  EXPECT_EQ(other.code, 78) << other;
}

TEST(StartingFromAnotherRun, TakesOnlyTheWeightsWhenToldSo) {
  const SmallJob job;
  ASSERT_EQ(job.train("trunk", {"train.stop_at=20"}).code, 0);
  const auto anew = job.train("anew", {"--from", "runs/trunk", "--weights-only", "seed=5", "train.max_steps=10"});
  ASSERT_EQ(anew.code, 0) << anew;
  EXPECT_NE(anew.err.find("step 1/10 "), std::string::npos) << anew;
  ASSERT_EQ(job.train("scratch", {"seed=5", "train.max_steps=10"}).code, 0);
  EXPECT_EQ(job.diff("anew", "scratch").code, 1);
}

}  // namespace
}  // namespace peerless
