#include "peerless/train/step_gradient.h"

#include <gtest/gtest.h>

#include "peerless/params/gradients.h"
#include "tests/support/models.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::make_model;
using test::some_ids;

constexpr std::int64_t kRows = 4, kLength = 12;

// A batch whose rows have 1, 5, 8 and 12 unmasked tokens, so that no cut into equal micro-batches has equal shares.
struct MaskedBatch {
  at::Tensor inputs = some_ids(kRows, kLength, 50, 1), targets = some_ids(kRows, kLength, 50, 2);
  at::Tensor mask = at::arange(kLength).unsqueeze(0).lt(at::tensor({1, 5, 8, 12}).unsqueeze(1)).to(at::kByte);

  BatchTensors rows(std::int64_t first, std::int64_t count) const {
    return {inputs.narrow(0, first, count), targets.narrow(0, first, count), mask.narrow(0, first, count)};
  }
  std::int64_t unmasked() const { return mask.sum().item<std::int64_t>(); }
};

struct Step {
  double loss, z_loss, aux_loss;
  std::vector<at::Tensor> gradients;  // of every parameter
};

Step step_in(std::int64_t micro_batches, const ModelConfig& config, const MaskedBatch& batch = {}) {
  const auto model = make_model(config, 50, kLength, at::kDouble);
  const ParameterSet parameters(*model);
  const Gradients gradients(parameters);
  StepGradient step(*model, batch.unmasked(), micro_batches);
  const std::int64_t rows = kRows / micro_batches;
  for (std::int64_t first = 0; first < kRows; first += rows) step.add(batch.rows(first, rows));
  const auto means = step.means();
  Step result{means.loss, means.z_loss, means.aux_loss.value_or(0), {}};
  for (const auto& parameter : parameters.parameters()) result.gradients.push_back(dense_grad(parameter).clone());
  return result;
}

ModelConfig peer_without_batch_statistics() {
  ModelConfig config = test::small_model();
  auto peer = PeerConfig::small();
  peer.query_norm = QueryNormKind::rms;
  peer.table = "pool";
  config.ffw = peer;  // both layers share one table
  config.z_loss = 1e-2;
  return config;
}

// A z loss is a mean over tokens, so its mean over equal micro-batches is that of the whole. (A balance loss is a
// product of two means, and is not.)
ModelConfig mixture_with_z_loss() {
  ModelConfig config = test::small_model();
  auto mixture = MoeConfig::small();
  mixture.aux_loss = 0;
  mixture.z_loss = 0.5;
  config.ffw = mixture;
  return config;
}

TEST(StepGradient, IsTheSameHoweverABatchOfUnequalMasksIsCut) {
  constexpr double kTolerance = 1e-12;
  for (const auto& config : {test::small_model(), peer_without_batch_statistics(), mixture_with_z_loss()}) {
    const Step whole = step_in(1, config);
    for (const std::int64_t micro_batches : {2, 4}) {
      const Step cut = step_in(micro_batches, config);
      EXPECT_NEAR(cut.loss, whole.loss, kTolerance);
      EXPECT_NEAR(cut.z_loss, whole.z_loss, kTolerance);
      EXPECT_NEAR(cut.aux_loss, whole.aux_loss, kTolerance);
      for (std::size_t i = 0; i < whole.gradients.size(); ++i)
        EXPECT_LE(test::error(cut.gradients[i], whole.gradients[i]), kTolerance)
            << micro_batches << " parts, parameter " << i;
    }
  }
}

// The same micro-batch twice has the balance loss, and its gradient, of having it once.
TEST(StepGradient, AveragesTheBalanceLossOverMicroBatches) {
  ModelConfig config = test::small_model();
  auto mixture = MoeConfig::small();
  mixture.aux_loss = 0.5;
  config.ffw = mixture;
  const MaskedBatch batch;
  const auto model = make_model(config, 50, kLength, at::kDouble);
  const ParameterSet parameters(*model);
  const auto router = parameters.at("decoder.layers.0.ffw.router.weight");
  const auto run = [&](std::int64_t times) {
    for (const auto& parameter : parameters.parameters()) parameter.tensor.mutable_grad().reset();
    StepGradient step(*model, times * batch.unmasked(), times);
    for (std::int64_t i = 0; i < times; ++i) step.add(batch.rows(0, kRows));
    return std::pair(step.means().aux_loss.value(), dense_grad(router).clone());
  };
  const auto once = run(1), twice = run(2);
  EXPECT_GT(once.first, 0);
  EXPECT_NEAR(twice.first, once.first, 1e-12);
  EXPECT_LE(test::error(twice.second, once.second), 1e-12);
}

TEST(StepGradient, DividesByTheUnmaskedTokensAlone) {
  const auto model = make_model(test::small_model(), 50, kLength, at::kDouble);
  const MaskedBatch batch;
  StepGradient step(*model, batch.unmasked(), 1);
  step.add(batch.rows(0, kRows));
  const torch::NoGradGuard no_grad;
  const auto log_probs = model->head->logits(model->decoder->forward(batch.inputs).hidden).log_softmax(-1);
  const auto losses = -log_probs.gather(-1, batch.targets.unsqueeze(-1)).squeeze(-1);
  EXPECT_NEAR(step.means().loss, (losses * batch.mask).sum().item<double>() / 26, 1e-12);
}

TEST(StepGradient, LooksAtNoMaskedTarget) {
  MaskedBatch changed;
  changed.targets = at::where(changed.mask > 0, changed.targets, (changed.targets + 1) % 50);
  const Step step = step_in(2, test::small_model()), other = step_in(2, test::small_model(), changed);
  EXPECT_EQ(step.loss, other.loss);
  for (std::size_t i = 0; i < step.gradients.size(); ++i)
    EXPECT_TRUE(test::same_bits(step.gradients[i], other.gradients[i]));
}

}  // namespace
}  // namespace peerless
