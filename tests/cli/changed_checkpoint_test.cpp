// A checkpoint holds what the next steps depend on, and nothing idle: one changed bit of each of these kinds ends in
// other bits. And what starts from another run's checkpoint takes over just what it was told to.
#include <gtest/gtest.h>

#include <map>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using test::SmallJob;

// Saves the checkpoint of `step` again, hashes and all, with one bit of one tensor changed.
void change_a_bit(const std::filesystem::path& run, std::int64_t step, const std::string& tensor_name) {
  CheckpointFolder folder(disk(), run / "checkpoints");
  std::map<std::string, std::vector<std::byte>> memory;
  State state;
  CheckpointInfo info;
  {
    const Checkpoint checkpoint = folder.open(step);
    info = checkpoint.info();
    for (const auto& tensor : checkpoint.manifest().tensors) {
      auto& bytes = memory[tensor.name];
      bytes.resize(size_of(tensor.dtype) * static_cast<std::size_t>(volume(tensor.shape)));
      state.add(tensor.name, tensor.dtype, tensor.shape, bytes);
    }
    checkpoint.load(state);
  }
  ASSERT_TRUE(memory.contains(tensor_name)) << tensor_name;
  auto& bytes = memory[tensor_name];
  const auto dtype = state.find(tensor_name)->dtype;
  const auto size = size_of(dtype);
  bytes[bytes.size() - size + (dtype == DType::i64 ? 0 : size / 2)] ^=
      std::byte{1};  // a counter's lowest bit, a float's middle mantissa
  std::filesystem::remove_all(run / "checkpoints" / step_name(step));
  folder.save(state, info);
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
  change_a_bit(job.of_run("b"), 10, GetParam().tensor);
  if (HasFatalFailure()) return;
  const auto resumed = job.train("b");
  ASSERT_EQ(resumed.code, 0) << resumed;
  const auto diff = job.diff("a", "b");
  EXPECT_EQ(diff.code, 1) << diff;
  EXPECT_EQ(diff.out.find("identical"), std::string::npos);
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
