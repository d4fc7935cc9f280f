#include "peerless/ops/product_key.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <limits>
#include <set>
#include <string>
#include <tuple>
#include <vector>

#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::numeric_gradient;
using test::same_bits;
using test::Threads;

using Op = decltype(&product_key_top_k);

// Scores every id [T, h, n * n], in double.
at::Tensor score_every_id(const at::Tensor& queries, const at::Tensor& keys) {
  const std::int64_t heads = queries.size(1);
  const auto halves = torch::einsum("thpc,hpnc->thpn", {queries, keys.expand({heads, -1, -1, -1})}).to(at::kDouble);
  return (halves.select(2, 0).unsqueeze(-1) + halves.select(2, 1).unsqueeze(-2)).flatten(-2);
}

// Of the best k, descending, lowest id first of equals.
at::Tensor best_of(const at::Tensor& every, std::int64_t k) {
  return std::get<1>(at::sort(every, /*stable=*/true, -1, /*descending=*/true)).narrow(-1, 0, k).to(at::kInt);
}

class ProductKeyTest : public testing::TestWithParam<std::tuple<std::tuple<int, int>, bool, at::ScalarType, bool>> {
 protected:
  void make(std::int64_t tokens, std::int64_t heads, std::int64_t width) {
    torch::manual_seed(1);
    queries_ = torch::randn({tokens, heads, 2, width}, options_).requires_grad_();
    keys_ = torch::randn({shared_ ? 1 : heads, 2, n_, width}, options_).requires_grad_();
  }

  // Small whole numbers: sums are exact and most are tied.
  void make_ties() {
    make(29, 3, 4);
    at::NoGradGuard no_grad;
    queries_.round_().clamp_(-1, 1);
    keys_.round_().clamp_(-1, 1);
  }

  const std::int64_t n_ = std::get<0>(std::get<0>(GetParam())), k_ = std::get<1>(std::get<0>(GetParam()));
  const bool shared_ = std::get<1>(GetParam());
  const at::TensorOptions options_ = at::TensorOptions(std::get<2>(GetParam()));
  const Op op_ = std::get<3>(GetParam()) ? plain::product_key_top_k : product_key_top_k;
  at::Tensor queries_, keys_;
};

TEST_P(ProductKeyTest, FindsWhatScoringEveryIdFinds) {
  make(29, 3, 5);
  const auto [scores, ids] = op_(queries_, keys_, k_);
  const auto every = score_every_id(queries_, keys_);
  EXPECT_TRUE(same_bits(ids, best_of(every, k_)));
  EXPECT_TRUE(near(scores, every.gather(-1, ids.to(at::kLong)).to(options_)));
}

TEST_P(ProductKeyTest, OfEqualScoresTheLowestIdWins) {
  make_ties();
  const auto [scores, ids] = op_(queries_, keys_, k_);
  EXPECT_TRUE(same_bits(ids, best_of(score_every_id(queries_, keys_), k_)));
}

TEST_P(ProductKeyTest, GradientsAreThoseOfTheChosenScores) {
  make(29, 3, 5);
  const auto [scores, ids] = op_(queries_, keys_, k_);
  const auto grad = torch::randn_like(scores);
  scores.backward(grad);
  const auto grad_queries = queries_.grad(), grad_keys = keys_.grad();
  queries_.mutable_grad().reset();
  keys_.mutable_grad().reset();

  score_every_id(queries_, keys_).gather(-1, ids.to(at::kLong)).backward(grad.to(at::kDouble));
  EXPECT_TRUE(near(grad_queries, queries_.grad()));
  EXPECT_TRUE(near(grad_keys, keys_.grad()));
}

std::string name_of_case(const testing::TestParamInfo<ProductKeyTest::ParamType>& info) {
  const auto [sizes, shared, dtype, plain] = info.param;
  return std::string(plain ? "Plain" : "") + (dtype == at::kFloat ? "Float" : "Double") + (shared ? "Shared" : "") +
         "N" + std::to_string(std::get<0>(sizes)) + "K" + std::to_string(std::get<1>(sizes));
}

INSTANTIATE_TEST_SUITE_P(All, ProductKeyTest,
                         testing::Combine(testing::Values(std::tuple(3, 1), std::tuple(3, 2), std::tuple(3, 3),
                                                          std::tuple(16, 1), std::tuple(16, 2), std::tuple(16, 16),
                                                          std::tuple(101, 1), std::tuple(101, 2), std::tuple(101, 16),
                                                          std::tuple(101, 101)),
                                          testing::Bool(), testing::Values(at::kFloat, at::kDouble), testing::Bool()),
                         name_of_case);

TEST(ProductKey, GradientsAreFiniteDifferences) {
  torch::manual_seed(1);
  const auto queries = torch::randn({3, 2, 2, 3}, at::kDouble).requires_grad_();
  const auto keys = torch::randn({2, 2, 4, 3}, at::kDouble).requires_grad_();
  const auto weights = torch::randn({3, 2, 3}, at::kDouble);
  const auto loss = [&] { return (product_key_top_k(queries, keys, 3).scores.tanh() * weights).sum(); };
  loss().backward();
  at::NoGradGuard no_grad;
  const auto number = [&] { return loss().item<double>(); };
  EXPECT_LT(test::error(queries.grad(), numeric_gradient(queries, number)), 1e-8);
  EXPECT_LT(test::error(keys.grad(), numeric_gradient(keys, number)), 1e-8);
}

// As floats, ids 0, 2 and 3 all score 1. Exactly, they score 1, 1 + 2^-24 and 1 + 2^-26.
TEST(ProductKey, SumsAreComparedAsIfNeverRounded) {
  const auto queries = torch::ones({1, 1, 2, 1});
  const auto keys = torch::tensor({1 - 0x1p-24F, 1.F, 0x1p-24F, 0x1p-26F}).view({1, 2, 2, 1});
  for (const Op op : {product_key_top_k, plain::product_key_top_k}) {
    const auto [scores, ids] = op(queries, keys, 2);
    EXPECT_TRUE(same_bits(scores.flatten(), torch::ones({2})));
    EXPECT_TRUE(same_bits(ids.flatten(), torch::tensor({2, 3}, at::kInt)));
  }
}

TEST(ProductKey, RandomQueriesReachEveryId) {
  torch::manual_seed(1);
  const auto keys = torch::randn({1, 2, 16, 8});
  std::set<std::int32_t> reached;
  for (int round = 0; round < 20; ++round) {
    const auto ids = product_key_top_k(torch::randn({256, 4, 2, 8}), keys, 4).ids.contiguous();
    reached.insert(ids.data_ptr<std::int32_t>(), ids.data_ptr<std::int32_t>() + ids.numel());
  }
  EXPECT_EQ(reached.size(), 256U);
  EXPECT_EQ(*reached.begin(), 0);
  EXPECT_EQ(*reached.rbegin(), 255);
}

TEST(ProductKey, BitsDoNotDependOnTheNumberOfThreads) {
  torch::manual_seed(1);
  const auto queries = torch::randn({300, 3, 2, 16}).requires_grad_(),
             keys = torch::randn({1, 2, 40, 16}).requires_grad_();
  const auto weights = torch::randn({300, 3, 7});
  const auto run_with = [&](int threads) {
    const Threads guard(threads);
    const auto [scores, ids] = product_key_top_k(queries, keys, 7);
    const auto grads = torch::autograd::grad({scores}, {queries, keys}, {weights});
    return std::vector<at::Tensor>{scores, ids, grads[0], grads[1]};
  };
  const auto one = run_with(1);
  for (const int threads : {2, 3, 8}) {  // with more of them than halves of keys, several own a half
    const auto many = run_with(threads);
    for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], many[i])) << i << ", " << threads;
  }
}

TEST(ProductKey, ManyTokensAreTakenInPiecesThatDoNotShow) {
  torch::manual_seed(1);
  const auto queries = torch::randn({1000, 2, 2, 8}), keys = torch::randn({2, 2, 512, 8});  // pieces of 512 tokens
  const auto ids = product_key_top_k(queries, keys, 3).ids;
  for (const std::int64_t first : {0, 500}) {
    EXPECT_TRUE(same_bits(ids.narrow(0, first, 500), product_key_top_k(queries.narrow(0, first, 500), keys, 3).ids));
  }
}

TEST(ProductKey, NotANumberComesOutInTheScoresAndIdsStayInRange) {
  torch::manual_seed(1);
  const auto keys = torch::randn({1, 2, 20, 4});
  for (const std::int64_t poisoned : {0, 7, 19}) {
    const auto bad_keys = keys.clone();
    bad_keys[0][1][poisoned].fill_(std::numeric_limits<float>::quiet_NaN());
    const auto [scores, ids] = product_key_top_k(torch::randn({6, 1, 2, 4}), bad_keys, 5);
    EXPECT_TRUE(scores.isnan().any(-1).all().item<bool>()) << poisoned;
    EXPECT_TRUE(((ids >= 0) & (ids < 400)).all().item<bool>());
  }
  const auto [scores, ids] = product_key_top_k(torch::full({2, 1, 2, 4}, NAN), keys, 20);
  EXPECT_TRUE(scores.isnan().all().item<bool>());
  EXPECT_TRUE(((ids >= 0) & (ids < 400)).all().item<bool>());
}

TEST(ProductKey, SaysWhatItExpects) {
  const auto queries = torch::randn({2, 1, 2, 4}), keys = torch::randn({1, 2, 3, 4});
  try {
    product_key_top_k(queries, keys, 4);
    FAIL();
  } catch (const c10::Error& error) {
    EXPECT_STREQ(error.what_without_backtrace(),
                 "product_key_top_k: expected 1 <= k <= n <= 46340, got k = 4 and n = 3");
  }
}

// Many sub-keys, no whole number of blocks; random scores and scores of which most are tied.
TEST(ProductKey, FindsWhatScoringEveryIdFindsAmongManyKeys) {
  for (const std::int64_t n : {300, 700, 1024}) {
    for (const bool tied : {false, true}) {
      torch::manual_seed(n);
      auto queries = torch::randn({2, 1, 2, 6}, at::kDouble), keys = torch::randn({1, 2, n, 6}, at::kDouble);
      if (tied) queries.round_().clamp_(-1, 1), keys.round_().clamp_(-1, 1);
      const auto every = score_every_id(queries, keys);
      const auto best = best_of(every, 300);
      for (const std::int64_t k : {1, 16, 300}) {
        for (const Op op : {product_key_top_k, plain::product_key_top_k}) {
          const auto [scores, ids] = op(queries, keys, k);
          EXPECT_TRUE(same_bits(ids, best.narrow(-1, 0, k))) << "n " << n << " k " << k << (tied ? " tied" : "");
          EXPECT_TRUE(near(scores, every.gather(-1, ids.to(at::kLong))));
        }
      }
    }
  }
}

TEST(ProductKey, BothWaysGiveTheSameScores) {
  torch::manual_seed(1);
  const auto queries = torch::randn({50, 2, 2, 8}), keys = torch::randn({2, 2, 40, 8});
  const auto ours = product_key_top_k(queries, keys, 7), plainly = plain::product_key_top_k(queries, keys, 7);
  EXPECT_TRUE(same_bits(ours.scores, plainly.scores));
  EXPECT_TRUE(same_bits(ours.ids, plainly.ids));
}

TEST(ProductKey, ItsGradientHasNoGradient) {
  const auto queries = torch::randn({1, 1, 2, 1}).requires_grad_(), keys = torch::randn({1, 2, 3, 1});
  for (const Op op : {product_key_top_k, plain::product_key_top_k})
    EXPECT_THROW(torch::autograd::grad({op(queries, keys, 2).scores.sum()}, {queries}, {}, true, /*create_graph=*/true),
                 c10::Error);
}

}  // namespace
}  // namespace peerless
