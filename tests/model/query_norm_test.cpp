#include "peerless/model/query_norm.h"

#include <gtest/gtest.h>

#include "peerless/model/evaluation_mode.h"
#include "peerless/params/parameter_set.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::same_bits;

constexpr std::int64_t kHeads = 2, kKey = 4;

std::shared_ptr<QueryNorm> make(QueryNormKind kind) {
  auto norm = std::make_shared<QueryNorm>(kind, kHeads, kKey, at::kDouble);
  ParameterSet(*norm).initialize(1);
  return norm;
}

at::Tensor queries(std::int64_t seed, std::int64_t tokens = 64) {
  torch::manual_seed(seed);
  return 3 + 2 * torch::randn({tokens, kHeads, kKey}, at::kDouble);
}

TEST(QueryNorm, EvaluatesRightlyAfterOneStep) {
  const auto norm = make(QueryNormKind::batch);
  Stats stats;
  const auto x = queries(1);
  const auto trained = norm->forward(x, stats);
  norm->commit(stats);
  const EvaluationMode evaluation(*norm);
  EXPECT_TRUE(near(norm->forward(x, stats), trained));
}

TEST(QueryNorm, CountsAStepOfSeveralMicroBatchesOnce) {
  const auto once = make(QueryNormKind::batch), twice = make(QueryNormKind::batch);
  Stats one, sum;
  once->forward(queries(1), one);
  for (int micro_batch = 0; micro_batch < 2; ++micro_batch) {
    Stats part;
    twice->forward(queries(1), part);
    sum.add(part);
  }
  once->commit(one);
  twice->commit(sum);
  const auto a = ParameterSet(*once).buffers(), b = ParameterSet(*twice).buffers();
  for (std::size_t i = 0; i < a.size(); ++i)
    EXPECT_TRUE(near(a[i].tensor.to(at::kDouble), b[i].tensor.to(at::kDouble)));
}

TEST(QueryNorm, AveragesMomentsNotVariances) {
  const auto norm = make(QueryNormKind::batch);
  Stats low, high;
  norm->forward(queries(1) - 10, low);
  norm->forward(queries(1) + 10, high);
  low.add(high);
  norm->commit(low);
  Stats none;
  const EvaluationMode evaluation(*norm);
  const auto both = at::cat({queries(1) - 10, queries(1) + 10});
  const auto y = norm->forward(both, none);
  EXPECT_LT(y.mean(0).abs().max().item<double>(), 1e-9);
  EXPECT_LT(y.var(0, false).sub(1).abs().max().item<double>(), 1e-6);
}

TEST(QueryNorm, BeforeTheFirstStepTakesQueriesAsTheyAre) {
  const auto norm = make(QueryNormKind::batch);
  Stats stats;
  const EvaluationMode evaluation(*norm);
  EXPECT_LT(test::error(norm->forward(queries(1), stats), queries(1)), 1e-5);
  EXPECT_TRUE(stats.empty());
}

TEST(QueryNorm, NormalisesEachHeadByItsRootMeanSquare) {
  const auto norm = make(QueryNormKind::rms);
  Stats stats;
  const auto y = norm->forward(queries(1), stats);
  EXPECT_LT((y.square().mean(-1) - 1).abs().max().item<double>(), 1e-5);
  EXPECT_TRUE(same_bits(make(QueryNormKind::none)->forward(queries(1), stats), queries(1)));
}

// As fp32, the second moment of such queries would hold nothing of their variance.
TEST(QueryNorm, KeepsAVarianceThatIsSmallBesideTheMean) {
  auto norm = std::make_shared<QueryNorm>(QueryNormKind::batch, kHeads, kKey, at::kFloat);
  ParameterSet(*norm).initialize(1);
  torch::manual_seed(1);
  const auto x = 1000 + 0.5 * torch::randn({256, kHeads, kKey});
  for (int step = 0; step < 3; ++step) {
    Stats stats;
    norm->forward(x, stats);
    norm->commit(stats);
  }
  const EvaluationMode evaluation(*norm);
  Stats none;
  EXPECT_LT(norm->forward(x, none).var(0, false).sub(1).abs().max().item<double>(), 1e-2);
}

TEST(Stats, AddUpWithoutTouchingWhatOthersHold) {
  const auto one = at::ones({3}, at::kDouble);
  Stats part, sum;
  part.set("count", one);
  for (int i = 0; i < 3; ++i) sum.add(part, "0.");
  EXPECT_TRUE(same_bits(sum.at("0.count"), at::full({3}, 3.0, at::kDouble)));
  EXPECT_TRUE(same_bits(one, at::ones({3}, at::kDouble)));
}

}  // namespace
}  // namespace peerless
