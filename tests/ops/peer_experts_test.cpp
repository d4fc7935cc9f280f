#include "peerless/ops/peer_experts.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>
#include <tuple>

#include "tests/support/local_group.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::numeric_gradient;
using test::same_bits;
using test::Threads;

using Op = decltype(&peer_experts);
struct Grads {
  at::Tensor x, gates, table, squares;
};

class PeerExpertsTest : public testing::TestWithParam<std::tuple<at::ScalarType, Activation, bool>> {
 protected:
  // T tokens, each with P of N experts of width d.
  void make(std::int64_t tokens, std::int64_t chosen, std::int64_t num_experts, std::int64_t d) {
    torch::manual_seed(1);
    table_ = std::make_shared<RowTable>(num_experts, (glu_ ? 3 : 2) * d, Init::normal(1), options_);
    {
      at::NoGradGuard no_grad;
      table_->weight().normal_();
    }
    x_ = torch::randn({tokens, d}, options_).requires_grad_();
    gates_ = torch::rand({tokens, chosen}, options_).requires_grad_();
    ids_ = torch::randint(num_experts, {tokens, chosen}, at::kInt);
    grad_y_ = torch::randn({tokens, d}, options_);
  }

  at::Tensor run(Op op = peer_experts) { return op(x_, gates_, ids_, *table_, activation_, glu_); }

  // What backward adds to x, gates and table, which are then as before.
  Grads grads(const at::Tensor& y) {
    y.backward(grad_y_);
    const Grads grads{x_.grad(), gates_.grad(), table_->grad()->dense(), {}};
    x_.mutable_grad().reset();
    gates_.mutable_grad().reset();
    table_->grad()->clear();
    return grads;
  }

  // The formula as it stands, on `table`, a dense leaf.
  at::Tensor reference(const at::Tensor& table) {
    const std::int64_t d = x_.size(1);
    const auto rows = table.index({ids_.to(at::kLong)});  // [T, P, W]
    const auto times_x = [&](std::int64_t column) { return (rows.narrow(2, column, d) * x_.unsqueeze(1)).sum(-1); };
    auto hidden = times_x(0);
    if (activation_ == Activation::gelu) hidden = torch::gelu(hidden);
    if (activation_ == Activation::relu) hidden = torch::relu(hidden);
    if (glu_) hidden = hidden * times_x(d);
    return ((gates_ * hidden).unsqueeze(-1) * rows.narrow(2, rows.size(2) - d, d)).sum(1);
  }

  void expect_equal_to_reference(Op op) {
    const auto y = run(op);
    const auto ours = grads(y);
    const auto leaf = table_->weight().detach().clone().requires_grad_();
    const auto expected = reference(leaf);
    EXPECT_TRUE(near(y, expected));
    auto theirs = grads(expected);
    EXPECT_TRUE(near(ours.x, theirs.x));
    EXPECT_TRUE(near(ours.gates, theirs.gates));
    EXPECT_TRUE(near(ours.table, leaf.grad()));
  }

  const at::TensorOptions options_ = at::TensorOptions(std::get<0>(GetParam()));
  const Activation activation_ = std::get<1>(GetParam());
  const bool glu_ = std::get<2>(GetParam());
  std::shared_ptr<RowTable> table_;
  at::Tensor x_, gates_, ids_, grad_y_;
};

// 33 tokens of width 19: no whole number of vectors, blocks or threads' shares anywhere.
TEST_P(PeerExpertsTest, EqualsTheFormulaInValueAndAllGradients) {
  make(33, 12, 9, 19);
  expect_equal_to_reference(peer_experts);
}

TEST_P(PeerExpertsTest, EqualsTheFormulaForOneTokenWithOneExpert) {
  make(1, 1, 5, 3);
  expect_equal_to_reference(peer_experts);
}

TEST_P(PeerExpertsTest, ThePlainWayEqualsTheFormulaToo) {
  make(33, 12, 9, 19);
  expect_equal_to_reference(plain::peer_experts);
}

TEST_P(PeerExpertsTest, AnExpertThatATokenHoldsTwiceCountsTwice) {
  make(2, 2, 3, 8);
  ids_.fill_(1);
  expect_equal_to_reference(peer_experts);
  expect_equal_to_reference(plain::peer_experts);
}

// Three processes, each with a third of the columns of all parts.
TEST_P(PeerExpertsTest, ByColumnsItIsTheSame) {
  constexpr std::int64_t kWays = 3, kColumns = 5;
  make(33, 12, 9, kWays * kColumns);
  const auto y = run();
  const Grads whole = grads(y);
  std::vector<at::Tensor> grad_gates(kWays);
  test::in_group(kWays, [&](Communicator& group) {
    const auto here = [&](const at::Tensor& rows) {
      return rows.detach().unflatten(1, {-1, kWays, kColumns}).select(2, group.rank()).flatten(1).contiguous();
    };
    const auto columns = here(table_->weight());
    const RowTable table(columns.size(0), columns.size(1), Init::normal(1), options_);
    table.weight().detach().copy_(columns);
    const auto x = here(x_).requires_grad_(), gates = gates_.detach().requires_grad_();
    const auto y_here = peer_experts_by_columns(group, x, gates, ids_, table, activation_, glu_);
    y_here.backward(here(grad_y_));
    EXPECT_TRUE(near(y_here, here(y)));
    EXPECT_TRUE(near(x.grad(), here(whole.x)));
    EXPECT_TRUE(near(table.grad()->dense(), here(whole.table)));
    grad_gates[static_cast<std::size_t>(group.rank())] = gates.grad();
  });
  EXPECT_TRUE(near(at::stack(grad_gates).sum(0), whole.gates));
}

TEST_P(PeerExpertsTest, TheWeightItselfGetsNoGradient) {
  make(4, 3, 9, 8);
  grads(run());
  EXPECT_FALSE(table_->weight().grad().defined());
}

TEST_P(PeerExpertsTest, OnlyRetrievedRowsHaveAGradient) {
  make(2, 1, 9, 8);
  ids_.copy_(torch::tensor({{7}, {3}}));
  run().backward(grad_y_);
  EXPECT_EQ(std::vector<std::int32_t>(table_->grad()->ids().begin(), table_->grad()->ids().end()),
            (std::vector<std::int32_t>{3, 7}));
}

TEST_P(PeerExpertsTest, MicroBatchesAddUp) {
  make(20, 6, 16, 8);
  const auto whole = grads(run());
  const auto x = x_, gates = gates_, ids = ids_, grad_y = grad_y_;
  for (const std::int64_t first : {0, 13}) {  // 13 and 7 tokens
    const std::int64_t n = first == 0 ? 13 : 7;
    peer_experts(x.narrow(0, first, n), gates.narrow(0, first, n), ids.narrow(0, first, n), *table_, activation_, glu_)
        .backward(grad_y.narrow(0, first, n));
  }
  EXPECT_TRUE(near(table_->grad()->dense(), whole.table));
  EXPECT_TRUE(near(x.grad(), whole.x));
}

// The norm is added up while rows are written; a pass over them is its oracle. Rows of a first and a second
// micro-batch.
TEST_P(PeerExpertsTest, EachRowKnowsTheSumOfItsSquares) {
  make(40, 6, 30, 19);
  for (const Op op : {peer_experts, plain::peer_experts}) {
    table_->grad()->clear();
    run(op).backward(grad_y_);
    op(x_.narrow(0, 0, 9), gates_.narrow(0, 0, 9), ids_.narrow(0, 0, 9), *table_, activation_, glu_)
        .backward(grad_y_.narrow(0, 0, 9));
    const auto& rows = *table_->grad();
    const auto expected = rows.values().to(at::kDouble).square().sum(1);
    EXPECT_TRUE(near(rows.squares().narrow(0, 0, rows.size()), expected));
    const auto sums = rows.sums_of_squares();
    EXPECT_NEAR(std::accumulate(sums.begin(), sums.end(), 0.0) / expected.sum().item<double>(), 1, 1e-12);
  }
}

TEST_P(PeerExpertsTest, BitsDoNotDependOnTheNumberOfThreads) {
  make(500, 16, 25, 24);
  const auto run_with = [&](int threads) {
    const Threads guard(threads);
    const auto y = run();
    auto of_run = grads(y);
    of_run.squares = table_->grad()->squares().clone();  // which a clear() does not touch
    return std::make_pair(y, of_run);
  };
  const auto [y, one] = run_with(1);
  for (const int threads : {2, 3}) {
    const auto [y_again, many] = run_with(threads);
    EXPECT_TRUE(same_bits(y_again, y));
    EXPECT_TRUE(same_bits(many.x, one.x));
    EXPECT_TRUE(same_bits(many.gates, one.gates));
    EXPECT_TRUE(same_bits(many.table, one.table));
    EXPECT_TRUE(same_bits(many.squares, one.squares));
  }
}

std::string name_of_case(const testing::TestParamInfo<PeerExpertsTest::ParamType>& info) {
  const char* const activations[] = {"Gelu", "Relu", "NoActivation"};
  return std::string(std::get<0>(info.param) == at::kFloat ? "Float" : "Double") +
         activations[static_cast<int>(std::get<1>(info.param))] + (std::get<2>(info.param) ? "Glu" : "");
}

INSTANTIATE_TEST_SUITE_P(All, PeerExpertsTest,
                         testing::Combine(testing::Values(at::kFloat, at::kDouble),
                                          testing::Values(Activation::gelu, Activation::relu, Activation::none),
                                          testing::Bool()),
                         name_of_case);

// Else a model that has broken down would look sound.
TEST_P(PeerExpertsTest, WhatIsNoNumberComesOut) {
  make(3, 4, 5, 3);
  at::NoGradGuard no_grad;
  x_[1][2] = std::nan("");
  for (const Op op : {Op(peer_experts), Op(plain::peer_experts)}) {
    const auto broken = run(op).isnan().any(1);
    EXPECT_TRUE(broken[1].item<bool>());
    EXPECT_FALSE(broken[0].item<bool>() || broken[2].item<bool>());
  }
}

class PeerExpertsInDouble : public PeerExpertsTest {};

TEST_P(PeerExpertsInDouble, GradientsAreFiniteDifferences) {
  make(3, 4, 5, 3);
  at::NoGradGuard no_grad;
  const auto loss = [&] { return (run() * grad_y_).sum().item<double>(); };
  const auto x = numeric_gradient(x_, loss), gates = numeric_gradient(gates_, loss),
             table = numeric_gradient(table_->weight(), loss);
  at::AutoGradMode with_grad(true);
  const auto ours = grads(run());
  EXPECT_LT(test::error(ours.x, x), 1e-8);
  EXPECT_LT(test::error(ours.gates, gates), 1e-8);
  EXPECT_LT(test::error(ours.table, table), 1e-8);
}

INSTANTIATE_TEST_SUITE_P(Smooth, PeerExpertsInDouble,
                         testing::Combine(testing::Values(at::kDouble),
                                          testing::Values(Activation::gelu, Activation::none), testing::Bool()),
                         name_of_case);

TEST(PeerExperts, TakesBfloat16AndComputesInTheTablesFloat) {
  torch::manual_seed(1);
  RowTable table(9, 16, Init::normal(1));
  table.weight().detach().normal_();
  const auto x = torch::randn({4, 8}).to(at::kBFloat16).requires_grad_(), gates = torch::rand({4, 2}).to(at::kBFloat16);
  const auto ids = torch::randint(9, {4, 2}, at::kInt);
  const auto y = peer_experts(x, gates, ids, table, Activation::gelu, false);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  const auto wide = peer_experts(x.to(at::kFloat), gates.to(at::kFloat), ids, table, Activation::gelu, false);
  EXPECT_TRUE(same_bits(y, wide.to(at::kBFloat16)));
  y.sum().backward();
  EXPECT_EQ(x.grad().scalar_type(), at::kBFloat16);
  EXPECT_EQ(table.grad()->values().scalar_type(), at::kFloat);
}

TEST(PeerExperts, LayersThatShareATableAddToTheSameRows) {
  RowTable table(4, 16, Init::normal(1));
  table.weight().detach().normal_();
  const auto gates = torch::ones({1, 1}), ids = torch::full({1, 1}, 2, at::kInt);
  const auto layer = [&](const at::Tensor& x) {
    return x + peer_experts(x, gates, ids, table, Activation::gelu, false);
  };
  const auto x = torch::randn({1, 8});
  layer(layer(x)).sum().backward();
  EXPECT_EQ(table.grad()->size(), 1);

  const auto ours = table.grad()->dense();
  const auto leaf = table.weight().detach().clone().requires_grad_();
  const auto reference = [&](const at::Tensor& h) {
    return h + torch::gelu((h * leaf[2].narrow(0, 0, 8)).sum(-1, true)) * leaf[2].narrow(0, 8, 8);
  };
  reference(reference(x)).sum().backward();
  EXPECT_TRUE(near(ours, leaf.grad()));
}

TEST(PeerExperts, AFrozenTableGetsNoRows) {
  RowTable table(4, 16, Init::normal(1));
  table.weight().detach().normal_();
  table.weight().requires_grad_(false);
  const auto x = torch::randn({1, 8}).requires_grad_();
  peer_experts(x, torch::ones({1, 1}), torch::zeros({1, 1}, at::kInt), table, Activation::gelu, false).sum().backward();
  EXPECT_EQ(table.grad()->size(), 0);
  EXPECT_TRUE(x.grad().defined());
}

}  // namespace
}  // namespace peerless
