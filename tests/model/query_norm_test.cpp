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
  EXPECT_TRUE(near(y.var(0, false), at::ones({kHeads, kKey}, at::kDouble)) ||
              y.var(0, false).sub(1).abs().max().item<double>() < 1e-5);
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

}  // namespace
}  // namespace peerless
