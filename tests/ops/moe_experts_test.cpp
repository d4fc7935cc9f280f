#include "peerless/ops/moe_experts.h"

#include <gtest/gtest.h>
#include <torch/csrc/autograd/function_hook.h>
#include <torch/csrc/autograd/variable.h>
#include <torch/types.h>

#include <algorithm>

#include "peerless/ops/mlp_activation.h"
#include "tests/support/allocations.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::numeric_gradient;
using test::same_bits;
using test::Threads;

using Op = decltype(&moe_experts);

struct Case {
  at::ScalarType dtype;
  DenseActivation activation;
};

class MoeExperts : public testing::TestWithParam<Case> {
 protected:
  // T tokens, K of E experts of width F each, model width D.
  void make(std::int64_t tokens, std::int64_t chosen, std::int64_t num_experts, std::int64_t f, std::int64_t d) {
    torch::manual_seed(1);
    const auto leaf = [&](at::IntArrayRef shape) { return torch::randn(shape, options_).requires_grad_(); };
    weights_ = {gated(activation_) ? leaf({num_experts, f, d}) : at::Tensor(), leaf({num_experts, f, d}),
                leaf({num_experts, d, f})};
    x_ = leaf({tokens, d});
    gates_ = torch::rand({tokens, chosen}, options_).requires_grad_();
    ids_ =
        torch::rand({tokens, num_experts}).argsort(/*dim=*/-1, /*descending=*/false).narrow(1, 0, chosen).contiguous();
    grad_y_ = torch::randn({tokens, d}, options_);
  }

  std::vector<at::Tensor> leaves() const {
    std::vector<at::Tensor> all{x_, gates_, weights_.up, weights_.down};
    if (gated(activation_)) all.push_back(weights_.gate);
    return all;
  }
  at::Tensor run(Op op = moe_experts) const { return op(x_, gates_, ids_, weights_, activation_); }

  // The formula as it stands, pair by pair.
  at::Tensor reference() const {
    std::vector<at::Tensor> rows;
    for (std::int64_t t = 0; t < x_.size(0); ++t) {
      auto sum = at::zeros_like(x_[t]);
      for (std::int64_t j = 0; j < ids_.size(1); ++j) {
        const auto e = ids_[t][j].item<std::int64_t>();
        const auto gate = gated(activation_) ? weights_.gate[e].mv(x_[t]) : at::Tensor();
        const auto h = plain::mlp_activation(activation_, gate, weights_.up[e].mv(x_[t]));
        sum = sum + gates_[t][j] * weights_.down[e].mv(h);
      }
      rows.push_back(sum);
    }
    return at::stack(rows);
  }

  // y and the gradients of all leaves, which are then without one.
  std::vector<at::Tensor> results(const at::Tensor& y) const {
    y.backward(grad_y_);
    std::vector<at::Tensor> all{y.detach()};
    for (const auto& leaf : leaves()) {
      all.push_back(leaf.grad().defined() ? leaf.grad() : at::zeros_like(leaf));
      leaf.mutable_grad().reset();
    }
    return all;
  }

  void expect_equal_to_reference(Op op = moe_experts) const {
    const auto ours = results(run(op)), theirs = results(reference());
    for (std::size_t i = 0; i < ours.size(); ++i) EXPECT_TRUE(near(ours[i], theirs[i])) << "of result " << i;
  }

  const DenseActivation activation_ = GetParam().activation;
  const at::TensorOptions options_ = at::TensorOptions(GetParam().dtype);
  ExpertWeights weights_;
  at::Tensor x_, gates_, ids_, grad_y_;
};

std::string name_of_case(const testing::TestParamInfo<Case>& info) {
  return std::string(info.param.dtype == at::kFloat ? "Float_" : "Double_") +
         std::string(enum_names(info.param.activation)[static_cast<std::size_t>(info.param.activation)]);
}

auto every_activation(at::ScalarType dtype) {
  return testing::Values(Case{dtype, DenseActivation::swiglu}, Case{dtype, DenseActivation::geglu},
                         Case{dtype, DenseActivation::gelu}, Case{dtype, DenseActivation::relu2});
}

INSTANTIATE_TEST_SUITE_P(In, MoeExperts,
                         testing::Values(Case{at::kFloat, DenseActivation::swiglu},
                                         Case{at::kDouble, DenseActivation::swiglu},
                                         Case{at::kDouble, DenseActivation::geglu},
                                         Case{at::kDouble, DenseActivation::gelu},
                                         Case{at::kFloat, DenseActivation::relu2}),
                         name_of_case);

// ATen's grouped product, which the plain way is made of, knows no float64.
class PlainMoeExperts : public MoeExperts {};
INSTANTIATE_TEST_SUITE_P(In, PlainMoeExperts, every_activation(at::kFloat), name_of_case);

TEST_P(PlainMoeExperts, EqualsTheFormulaForEveryWidth) {
  for (const auto& [f, d] : {std::pair{12, 8}, {11, 8}, {12, 6}, {11, 6}, {1, 1}}) {  // rows of whole 16 bytes, and not
    make(33, 3, 7, f, d);
    expect_equal_to_reference(plain::moe_experts);
  }
}

TEST_P(PlainMoeExperts, EqualsTheFormulaForFewTokensAndEmptyExperts) {
  for (const std::int64_t tokens : {1, 3}) {
    make(tokens, 2, 8, 5, 4);
    expect_equal_to_reference(plain::moe_experts);
  }
  make(30, 2, 5, 15, 6);
  ids_.select(1, 0).fill_(3);
  ids_.select(1, 1).fill_(1);
  expect_equal_to_reference(plain::moe_experts);
}

TEST_P(MoeExperts, EqualsTheFormulaInValueAndAllGradients) {
  make(33, 3, 7, 11, 6);
  expect_equal_to_reference();
}

TEST_P(MoeExperts, EqualsTheFormulaForOneToken) {
  make(1, 2, 8, 5, 4);
  expect_equal_to_reference();
}

TEST_P(MoeExperts, EqualsTheFormulaForFewerTokensThanExperts) {
  make(3, 1, 16, 5, 4);
  expect_equal_to_reference();
}

TEST_P(MoeExperts, OneExpertMayHoldAllAndTheOthersBeEmpty) {
  make(515, 2, 5, 300, 6);  // more tokens, and rows of a weight, than a piece; the last ones are smaller
  ids_.select(1, 0).fill_(3);
  ids_.select(1, 1).fill_(1);
  expect_equal_to_reference();
}

TEST_P(MoeExperts, ATokenMayHoldAnExpertTwice) {
  make(4, 2, 3, 5, 4);
  ids_.fill_(1);
  expect_equal_to_reference();
}

// With unit gates, all experts together are one dense block whose inner width is theirs together.
TEST_P(MoeExperts, AllExpertsTogetherAreADenseBlock) {
  make(20, 4, 4, 5, 6);
  const auto side_by_side = [](const at::Tensor& w) { return w.flatten(0, 1); };
  const auto gate = gated(activation_) ? at::linear(x_, side_by_side(weights_.gate)) : at::Tensor();
  const auto h = plain::mlp_activation(activation_, gate, at::linear(x_, side_by_side(weights_.up)));
  const auto dense = at::linear(h, side_by_side(weights_.down.transpose(1, 2)).t());
  gates_.detach().fill_(1);
  EXPECT_TRUE(near(run(), dense));
}

class MoeExpertsInDouble : public MoeExperts {};
INSTANTIATE_TEST_SUITE_P(In, MoeExpertsInDouble, every_activation(at::kDouble), name_of_case);

TEST_P(MoeExpertsInDouble, GradientsAreFiniteDifferences) {
  make(4, 2, 3, 5, 3);
  const auto ours = results(run());
  const auto loss = [&] { return (run() * grad_y_).sum().item<double>(); };
  const auto all = leaves();
  for (std::size_t i = 0; i < all.size(); ++i)
    EXPECT_LT(test::error(ours[i + 1], numeric_gradient(all[i], loss)), 1e-7) << i;
}

TEST_P(MoeExperts, MicroBatchesAddToTheGradientThatIsThere) {
  make(20, 2, 4, 5, 6);
  const auto whole = results(run());
  const auto buffer = at::zeros_like(weights_.up);
  weights_.up.mutable_grad() = buffer;
  for (const auto& [first, n] : {std::pair{0, 13}, std::pair{13, 7}})
    moe_experts(x_.narrow(0, first, n), gates_.narrow(0, first, n), ids_.narrow(0, first, n), weights_, activation_)
        .backward(grad_y_.narrow(0, first, n));
  EXPECT_TRUE(near(buffer, whole[3]));
  EXPECT_EQ(weights_.up.grad().data_ptr(), buffer.data_ptr());
  EXPECT_TRUE(near(x_.grad(), whole[1]));
}

// What waits for a gradient to be there (dist/gradient_reduction.h) is called when it is: once in a backward pass.
TEST_P(MoeExperts, CallsTheHooksOfItsWeights) {
  struct Hook final : torch::autograd::PostAccumulateGradHook {
    explicit Hook(std::vector<at::Tensor>& called_) : called(called_) {}
    void operator()(const torch::autograd::Variable& weight) override { called.push_back(weight.grad().clone()); }
    std::vector<at::Tensor>& called;
  };
  make(20, 2, 4, 6, 5);
  std::vector<at::Tensor> called;
  auto weights = leaves();
  weights.erase(weights.begin(), weights.begin() + 2);  // x and gates
  for (const auto& weight : weights)
    torch::autograd::impl::set_post_acc_grad_hooks(weight, std::make_unique<Hook>(called));
  run().backward(grad_y_);
  ASSERT_EQ(called.size(), weights.size());
  for (const auto& weight : weights)
    EXPECT_TRUE(std::ranges::any_of(called, [&](const auto& grad) { return same_bits(grad, weight.grad()); }));
}

TEST_P(MoeExperts, BitsDoNotDependOnTheNumberOfThreads) {
  const auto run_with = [&](int threads) {
    const Threads guard(threads);
    return results(run());
  };
  const auto expect_same = [&] {
    const auto one = run_with(1);
    for (const int threads : {2, 3}) {
      const auto many = run_with(threads);
      for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(many[i], one[i])) << i;
    }
  };
  make(700, 2, 5, 200, 24);
  expect_same();
  make(128, 1, 1, 96, 512);  // a single piece, of tokens and of weights
  expect_same();
}

TEST_P(MoeExperts, RefusesWeightsWhoseGradientWouldBeLost) {
  make(5, 2, 3, 5, 4);
  auto scaled = weights_;
  scaled.up = weights_.up * 2;
  EXPECT_THROW(moe_experts(x_, gates_, ids_, scaled, activation_), c10::Error);
}

TEST_P(MoeExperts, FrozenWeightsGetNoGradient) {
  make(5, 2, 3, 5, 4);
  weights_.up.requires_grad_(false);
  run().backward(grad_y_);
  EXPECT_FALSE(weights_.up.grad().defined());
  EXPECT_TRUE(weights_.down.grad().defined());
}

TEST_P(MoeExperts, WhatIsNoNumberComesOutOfItsTokenAlone) {
  make(5, 2, 3, 5, 4);
  x_.detach()[1][2] = std::nan("");
  EXPECT_TRUE(same_bits(run().isnan().any(1), torch::arange(5) == 1));
}

TEST_P(MoeExperts, RefusesShapesThatDoNotFit) {
  make(5, 2, 3, 5, 4);
  EXPECT_THROW(moe_experts(x_, gates_, ids_.to(at::kInt), weights_, activation_), c10::Error);
  EXPECT_THROW(moe_experts(x_.narrow(1, 0, 3), gates_, ids_, weights_, activation_), c10::Error);
  EXPECT_THROW(moe_experts(x_, gates_.narrow(1, 0, 1), ids_, weights_, activation_), c10::Error);
  auto other = weights_;
  other.gate = gated(activation_) ? at::Tensor() : weights_.up;
  EXPECT_THROW(moe_experts(x_, gates_, ids_, other, activation_), c10::Error);
}

// Products in bf16, sums in the weights' float: value and all gradients are those of float, rounded.
TEST_P(PlainMoeExperts, InBf16IsNearlyTheSameInBothWays) {
  make(40, 2, 4, 16, 8);
  x_ = x_.detach().to(at::kBFloat16).requires_grad_();
  const auto narrow_x = x_;
  grad_y_ = grad_y_.to(at::kBFloat16);
  for (const Op op : {moe_experts, plain::moe_experts}) {
    x_ = narrow_x;
    const auto narrow = results(run(op));
    x_ = narrow_x.detach().to(at::kFloat).requires_grad_();
    const auto wide = results(run());
    for (std::size_t i = 0; i < wide.size(); ++i) {
      EXPECT_EQ(narrow[i].scalar_type(), i < 2 ? at::kBFloat16 : at::kFloat) << i;  // y and the gradient of x
      EXPECT_LT(test::error(narrow[i], wide[i]), (i == 0 ? 1 : 2) * test::tolerance(at::kBFloat16)) << "result " << i;
    }
  }
}

TEST_P(PlainMoeExperts, WeightsMayBeOfAWiderDtype) {
  make(40, 2, 4, 16, 8);
  for (auto* const leaf : {&weights_.gate, &weights_.up, &weights_.down, &gates_})
    if (leaf->defined()) *leaf = leaf->detach().to(at::kDouble).requires_grad_();
  const auto narrow = results(run());
  x_ = x_.detach().to(at::kDouble).requires_grad_();
  grad_y_ = grad_y_.to(at::kDouble);
  const auto wide = results(run());
  for (std::size_t i = 0; i < wide.size(); ++i) EXPECT_LT(test::error(narrow[i], wide[i]), 1e-5) << "result " << i;
}

// Between forward and backward live the pre-activations, not a copy of x for each choice.
TEST(MoeExperts, KeepsNothingOfTheModelsWidthPerPair) {
  constexpr std::int64_t kTokens = 256, kChosen = 8, kInner = 4, kModel = 512;
  const auto leaf = [](at::IntArrayRef shape) { return torch::randn(shape).requires_grad_(); };
  const ExpertWeights weights{{}, leaf({16, kInner, kModel}), leaf({16, kModel, kInner})};
  const auto x = leaf({kTokens, kModel}), gates = torch::rand({kTokens, kChosen});
  const auto ids = torch::randint(16, {kTokens, kChosen});
  at::Tensor y;
  std::int64_t kept = 0;
  {
    const test::Allocations allocations;
    y = moe_experts(x, gates, ids, weights, DenseActivation::gelu);
    kept = allocations.live();
  }
  EXPECT_LT(kept, 4 * (kTokens * kModel + 4 * kTokens * kChosen * kInner));
}

}  // namespace
}  // namespace peerless
