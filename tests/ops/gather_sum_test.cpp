#include "peerless/ops/gather_sum.h"

#include <gtest/gtest.h>
#include <torch/nn/functional/embedding.h>
#include <torch/types.h>

#include "tests/support/allocations.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::same_bits;
using test::Threads;

using Op = decltype(&gather_sum);

class GatherSum : public testing::TestWithParam<at::ScalarType> {
 protected:
  void make(std::int64_t tokens, std::int64_t chosen, std::int64_t num_rows, std::int64_t width) {
    torch::manual_seed(1);
    table_ = std::make_shared<RowTable>(num_rows, width, Init::normal(1), options_);
    table_->weight().detach().normal_();
    weights_ = torch::randn({tokens, chosen}, options_).requires_grad_();
    ids_ = torch::randint(num_rows, {tokens, chosen}, at::kInt);
    grad_y_ = torch::randn({tokens, width}, options_);
  }

  struct Results {
    at::Tensor y, weights, table, squares;
  };
  Results run(Op op = gather_sum) {
    table_->grad()->clear();
    weights_.mutable_grad().reset();
    const auto y = op(weights_, ids_, *table_);
    y.backward(grad_y_);
    const auto& rows = *table_->grad();
    return {y.detach(), weights_.grad(), rows.dense(), rows.squares().narrow(0, 0, rows.size()).clone()};
  }

  const at::TensorOptions options_ = at::TensorOptions(GetParam());
  std::shared_ptr<RowTable> table_;
  at::Tensor weights_, ids_, grad_y_;
};

INSTANTIATE_TEST_SUITE_P(In, GatherSum, testing::Values(at::kFloat, at::kDouble),
                         [](const auto& row) { return row.param == at::kFloat ? "Float" : "Double"; });

TEST_P(GatherSum, EqualsEmbeddingBagInValueAndGradients) {
  make(33, 21, 9, 19);
  const auto leaf = table_->weight().detach().clone().requires_grad_();
  const auto weights = weights_.detach().clone().requires_grad_();
  const auto bag = torch::nn::functional::embedding_bag(
      ids_, leaf, torch::nn::functional::EmbeddingBagFuncOptions().mode(torch::kSum).per_sample_weights(weights));
  bag.backward(grad_y_);
  for (const Op op : {gather_sum, plain::gather_sum}) {
    const auto ours = run(op);
    EXPECT_TRUE(near(ours.y, bag));
    EXPECT_TRUE(near(ours.weights, weights.grad()));
    EXPECT_TRUE(near(ours.table, leaf.grad()));
    EXPECT_FALSE(table_->weight().grad().defined());
    EXPECT_NEAR(ours.squares.sum().item<double>() / leaf.grad().to(at::kDouble).square().sum().item<double>(), 1,
                test::tolerance(GetParam()));
  }
}

TEST_P(GatherSum, MicroBatchesAddUp) {
  make(20, 6, 16, 8);
  const auto whole = run().table;
  table_->grad()->clear();
  for (const auto& [first, n] : {std::pair{0, 13}, std::pair{13, 7}})
    gather_sum(weights_.narrow(0, first, n), ids_.narrow(0, first, n), *table_).backward(grad_y_.narrow(0, first, n));
  EXPECT_TRUE(near(table_->grad()->dense(), whole));
}

TEST_P(GatherSum, BitsDoNotDependOnTheNumberOfThreads) {
  make(500, 32, 400, 24);
  const auto run_with = [&](int threads) {
    const Threads guard(threads);
    return run();
  };
  const auto one = run_with(1);
  for (const int threads : {2, 3}) {
    const auto many = run_with(threads);
    EXPECT_TRUE(same_bits(many.y, one.y));
    EXPECT_TRUE(same_bits(many.weights, one.weights));
    EXPECT_TRUE(same_bits(many.table, one.table));
    EXPECT_TRUE(same_bits(many.squares, one.squares));
  }
}

TEST_P(GatherSum, AFrozenTableGetsNoRows) {
  make(3, 2, 4, 8);
  table_->weight().requires_grad_(false);
  EXPECT_GT(run().weights.abs().sum().item<double>(), 0);
  EXPECT_EQ(table_->grad()->size(), 0);
}

TEST_P(GatherSum, NeedsLessThanOneCopyOfTheRowsItRetrieves) {
  constexpr std::int64_t kTokens = 256, kChosen = 32, kWidth = 128;
  make(kTokens, kChosen, 64, kWidth);
  const test::Allocations allocations;
  run();
  EXPECT_LT(allocations.peak(), kTokens * kChosen * kWidth * table_->weight().element_size());
}

TEST_P(GatherSum, WhatIsNoNumberComesOut) {
  make(3, 4, 5, 3);
  weights_.detach()[1][2] = std::nan("");
  for (const Op op : {gather_sum, plain::gather_sum})
    EXPECT_TRUE(same_bits(op(weights_, ids_, *table_).isnan().any(1), torch::arange(3) == 1));
}

TEST_P(GatherSum, RefusesIdsThatDoNotFit) {
  make(3, 4, 5, 3);
  EXPECT_THROW(gather_sum(weights_, ids_.to(at::kLong), *table_), c10::Error);
  EXPECT_THROW(gather_sum(weights_, ids_.narrow(1, 0, 2), *table_), c10::Error);
}

}  // namespace
}  // namespace peerless
