// Training on a GPU: what it does on the CPU, and the same bits each time.
#include <gtest/gtest.h>

#include "peerless/train/setup.h"
#include "tests/support/every_block.h"
#include "tests/support/small_run.h"

namespace peerless {
namespace {

using test::SmallRun;

class EveryBlockOnGpu : public testing::TestWithParam<FfwConfig> {
 protected:
  const at::Device gpu_ = choose_device(Device::cuda);
};
INSTANTIATE_TEST_SUITE_P(Of, EveryBlockOnGpu, test::every_block(), test::name_of_block);

// The first moments after a step are a tenth of its gradients.
TEST_P(EveryBlockOnGpu, HasTheGradientsOfTheCpu) {
  SmallRun on_cpu(GetParam(), 1), on_gpu(GetParam(), 1, {.device = gpu_});
  const double expected = on_cpu.train(0, 1).loss;
  EXPECT_NEAR(on_gpu.train(0, 1).loss, expected, 1e-6 * expected);
  const auto theirs = on_cpu.state(), ours = on_gpu.state();
  ASSERT_EQ(ours.size(), theirs.size());
  for (std::size_t i = 0; i < ours.size(); ++i)
    if (ours[i].name.starts_with("optim.first.")) {
      EXPECT_TRUE(test::near(ours[i].tensor.cpu(), theirs[i].tensor)) << ours[i].name;
    }
}

TEST_P(EveryBlockOnGpu, HasTheSameBitsEachTimeAndRecomputed) {
  SmallRun once(GetParam(), 1, {.device = gpu_}), again(GetParam(), 1, {.device = gpu_}),
      recomputed(GetParam(), 1, {.recomputed = true, .device = gpu_});
  for (auto* const run : {&once, &again, &recomputed}) run->train(0, 4);
  again.expect_same_bits(once);
  recomputed.expect_same_bits(once);
}

TEST_P(EveryBlockOnGpu, SumsInATreeWhenItIsElastic) {
  SmallRun on_cpu(GetParam(), 1, {.micro_batches = 4, .division = {.order = SumOrder::tree}});
  SmallRun on_gpu(GetParam(), 1, {.micro_batches = 4, .division = {.order = SumOrder::tree}, .device = gpu_});
  const double expected = on_cpu.train(0, 2).loss;
  EXPECT_NEAR(on_gpu.train(0, 2).loss, expected, 1e-4 * expected);
}

}  // namespace
}  // namespace peerless
