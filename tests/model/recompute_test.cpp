#include "peerless/model/recompute.h"

#include <gtest/gtest.h>

#include "tests/support/allocations.h"
#include "tests/support/every_block.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::same_bits;

// A model of all kinds of blocks, one layer each.
ModelConfig every_block() {
  ModelConfig config = test::small_model();
  const auto kinds = test::one_of_each(static_cast<FfwConfig*>(nullptr));
  config.n_layers = std::ssize(kinds);
  for (std::int64_t i = 0; i < config.n_layers; ++i)
    config.layers.push_back({LayerSet{LayerRange{i, i}}, kinds[static_cast<std::size_t>(i)]});
  return config;
}

struct Pass {
  at::Tensor loss, aux_loss;
  std::vector<at::Tensor> gradients;
  TransformerOutput out;
};

Pass forward_and_backward(const ModelConfig& config, bool recomputed) {
  const auto model = test::make_model(config);
  model->decoder->recompute_layers(recomputed);
  const auto ids = test::some_ids(2, 12);
  Pass pass;
  pass.out = model->decoder->forward(ids);
  pass.loss = model->head->loss(pass.out.hidden, ids, at::ones({2, 12}, at::kByte)).loss;
  pass.aux_loss = pass.out.aux_loss;
  (pass.loss + pass.aux_loss).backward();
  for (const auto& parameter : ParameterSet(*model).parameters()) pass.gradients.push_back(dense_grad(parameter));
  return pass;
}

TEST(Recompute, ChangesNoBitOfLossesStatisticsAndGradients) {
  const auto kept = forward_and_backward(every_block(), false), again = forward_and_backward(every_block(), true);
  EXPECT_TRUE(same_bits(again.loss, kept.loss));
  EXPECT_TRUE(same_bits(again.aux_loss, kept.aux_loss));
  EXPECT_GT(kept.aux_loss.item<double>(), 0);
  ASSERT_EQ(again.gradients.size(), kept.gradients.size());
  for (std::size_t i = 0; i < kept.gradients.size(); ++i)
    EXPECT_TRUE(same_bits(again.gradients[i], kept.gradients[i])) << i;
  const auto of_kept = kept.out.stats.named(), of_again = again.out.stats.named();
  ASSERT_GE(of_kept.size(), 5u);
  ASSERT_EQ(of_again.size(), of_kept.size());
  for (std::size_t i = 0; i < of_kept.size(); ++i)
    EXPECT_TRUE(same_bits(of_again[i].second, of_kept[i].second)) << of_kept[i].first;
}

TEST(Recompute, KeepsOnlyWhatEntersEachLayer) {
  const auto kept_by = [](bool recomputed) {
    ModelConfig config = test::small_model();
    config.n_layers = 6;
    const auto model = test::make_model(config, 50, 64);
    model->decoder->recompute_layers(recomputed);
    const auto ids = test::some_ids(8, 64);
    const test::Allocations allocations;
    const auto out = model->decoder->forward(ids);
    return allocations.live();
  };
  constexpr std::int64_t kInput = 4 * 8 * 64 * 16;  // bytes of [8, 64, 16]
  EXPECT_GT(kept_by(false), 6 * 8 * kInput);
  EXPECT_LT(kept_by(true), 6 * 2 * kInput + 8 * kInput);
}

TEST(Recompute, WithoutGradientsItIsACall) {
  const torch::NoGradGuard no_grad;
  int calls = 0;
  const auto h = torch::ones({2});
  const auto out = recompute(
      [&](const at::Tensor& x) -> PartOutput {
        ++calls;
        return {x + 1, {}, {}};
      },
      h);
  EXPECT_EQ(calls, 1);
  EXPECT_TRUE(same_bits(out.h, h + 1));
}

}  // namespace
}  // namespace peerless
