#include "peerless/ops/cross_entropy.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <string>
#include <tuple>

#include "tests/support/allocations.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::numeric_gradient;
using test::same_bits;

struct Reference {
  at::Tensor loss, cross_entropy, z_loss, of_tokens;
};

class CrossEntropyTest : public testing::TestWithParam<std::tuple<at::ScalarType, double, double>> {
 protected:
  static constexpr std::int64_t kPadding = 27;

  void make(std::int64_t tokens, std::int64_t vocab = 37) {
    torch::manual_seed(1);
    vocab_ = vocab;
    hidden_ = torch::randn({tokens, 11}, dtype_).requires_grad_();
    weight_ = torch::randn({vocab + kPadding, 11}, dtype_).requires_grad_();
    targets_ = torch::randint(vocab, {tokens}, at::kLong);
    mask_ = torch::randint(4, {tokens}, at::kByte).clamp_max(1);  // a quarter is masked
  }

  CrossEntropy run() { return cross_entropy(hidden_, weight_, vocab_, targets_, mask_, options_); }

  // The formula as it stands, in double, all logits at once.
  Reference reference() {
    auto z = hidden_.to(at::kDouble).matmul(weight_.to(at::kDouble).narrow(0, 0, vocab_).t());
    if (options_.logit_softcap > 0) z = options_.logit_softcap * torch::tanh(z / options_.logit_softcap);
    const auto l = z.logsumexp(1);
    const auto counts = mask_.to(at::kDouble);
    const auto of_tokens = l - z.gather(1, targets_.unsqueeze(1)).squeeze(1);
    const auto entropy = (of_tokens * counts).sum();
    const auto z_loss = options_.z_loss * (l.square() * counts).sum();
    return {entropy + z_loss, entropy, z_loss, of_tokens};
  }

  void expect_equal_to_reference() {
    const auto ours = run();
    const auto theirs = reference();
    EXPECT_TRUE(near_as_computed(ours.loss, theirs.loss));
    EXPECT_TRUE(near_as_computed(ours.cross_entropy, theirs.cross_entropy));
    EXPECT_TRUE(near_as_computed(ours.z_loss, theirs.z_loss));
    const auto leaves = torch::autograd::variable_list{hidden_, weight_};
    const auto grads = torch::autograd::grad({ours.loss / 3}, leaves);
    const auto expected = torch::autograd::grad({theirs.loss / 3}, leaves);
    EXPECT_TRUE(near(grads[0], expected[0]));
    EXPECT_TRUE(near(grads[1], expected[1]));
  }

  // Sums are fp64 in every precision; they are as good as the logits in them.
  testing::AssertionResult near_as_computed(const at::Tensor& sum, const at::Tensor& expected) {
    return near(sum.to(dtype_), expected.to(dtype_));
  }

  const at::ScalarType dtype_ = std::get<0>(GetParam());
  const CrossEntropyOptions options_{.logit_softcap = std::get<1>(GetParam()), .z_loss = std::get<2>(GetParam())};
  std::int64_t vocab_ = 0;
  at::Tensor hidden_, weight_, targets_, mask_;
};

TEST_P(CrossEntropyTest, EqualsTheFormulaInValueAndAllGradients) {
  make(29);
  expect_equal_to_reference();
}

TEST_P(CrossEntropyTest, ChunksDoNotShow) {
  struct Shape {
    std::int64_t tokens, vocab;
  };
  for (const auto [tokens, vocab] : {Shape{1, 37}, {1024, 37}, {1025, 37}, {2100, 37}, {513, 4000}, {513, 9000}}) {
    make(tokens, vocab);
    mask_[0] = mask_[-1] = 1;
    expect_equal_to_reference();
  }
}

TEST_P(CrossEntropyTest, PaddingTakesNoPart) {
  make(29);
  const auto loss = run().loss;
  const auto grad = torch::autograd::grad({loss}, {weight_})[0];
  EXPECT_TRUE(same_bits(grad.narrow(0, vocab_, kPadding), torch::zeros({kPadding, 11}, dtype_)));
  weight_.detach().narrow(0, vocab_, kPadding).fill_(1e3);
  EXPECT_TRUE(same_bits(run().loss, loss));
}

TEST_P(CrossEntropyTest, MaskedTokensTakeNoPart) {
  make(29);
  const auto loss = run().loss;
  const auto grad = torch::autograd::grad({loss}, {hidden_})[0];
  const auto masked = mask_ == 0;
  EXPECT_GT(masked.sum().item<int>(), 0);
  EXPECT_EQ(grad.index({masked}).count_nonzero().item<int>(), 0);
  targets_.masked_fill_(masked, 5);
  EXPECT_TRUE(same_bits(run().loss, loss));
}

TEST_P(CrossEntropyTest, WithoutGradientsTheSumsAreTheSame) {
  make(1100);
  const auto recorded = run();
  at::NoGradGuard no_grad;
  const auto plain = run();
  EXPECT_TRUE(same_bits(plain.loss, recorded.loss));
  EXPECT_TRUE(same_bits(plain.cross_entropy, recorded.cross_entropy));
  EXPECT_FALSE(plain.loss.requires_grad());
}

TEST_P(CrossEntropyTest, TokenLossesAreThoseOfTheFormula) {
  make(1100);
  const auto losses = token_losses(hidden_, weight_, vocab_, targets_, options_.logit_softcap);
  EXPECT_EQ(losses.scalar_type(), dtype_);
  EXPECT_TRUE(near_as_computed(losses, reference().of_tokens));
}

std::string name_of_case(const testing::TestParamInfo<CrossEntropyTest::ParamType>& info) {
  const auto [dtype, softcap, z_loss] = info.param;
  return std::string(dtype == at::kFloat ? "Float" : "Double") + (softcap > 0 ? "Softcap" : "") +
         (z_loss > 0 ? "ZLoss" : "");
}

INSTANTIATE_TEST_SUITE_P(All, CrossEntropyTest,
                         testing::Combine(testing::Values(at::kFloat, at::kDouble), testing::Values(0, 3.0),
                                          testing::Values(0, 0.1)),
                         name_of_case);

TEST(CrossEntropy, GradientsAreFiniteDifferences) {
  torch::manual_seed(1);
  const auto hidden = torch::randn({5, 3}, at::kDouble).requires_grad_(),
             weight = torch::randn({7, 3}, at::kDouble).requires_grad_();
  const auto targets = torch::tensor({0, 5, 2, 4, 1}), mask = torch::tensor({1, 1, 0, 1, 1}, at::kByte);
  const auto loss = [&] {
    return cross_entropy(hidden, weight, 6, targets, mask, {.logit_softcap = 2, .z_loss = 0.1}).loss;
  };
  loss().backward();
  at::NoGradGuard no_grad;
  const auto number = [&] { return loss().item<double>(); };
  EXPECT_LT(test::error(hidden.grad(), numeric_gradient(hidden, number)), 1e-8);
  EXPECT_LT(test::error(weight.grad(), numeric_gradient(weight, number)), 1e-8);
}

TEST(CrossEntropy, InBfloat16TheProductsAreNarrowAndTheGradientOfTheWeightIsNot) {
  torch::manual_seed(1);
  const auto hidden = torch::randn({1100, 16}).to(at::kBFloat16).requires_grad_(),
             weight = torch::randn({64, 16}).requires_grad_();
  const auto targets = torch::randint(64, {1100}, at::kLong), mask = torch::ones({1100}, at::kByte);
  cross_entropy(hidden, weight, 64, targets, mask, {}).loss.backward();
  EXPECT_EQ(hidden.grad().scalar_type(), at::kBFloat16);
  EXPECT_EQ(weight.grad().scalar_type(), at::kFloat);

  const auto wide = hidden.detach().to(at::kFloat).requires_grad_(), leaf = weight.detach().clone().requires_grad_();
  cross_entropy(wide, leaf, 64, targets, mask, {}).loss.backward();
  EXPECT_LT(test::error(hidden.grad(), wide.grad()), 1e-2);
  EXPECT_LT(test::error(weight.grad(), leaf.grad()), 1e-2);
}

TEST(CrossEntropy, InBfloat16GradientsAreMultipliedInFp32AndRoundedOnce) {
  torch::manual_seed(1);
  const auto hidden = torch::randn({1100, 16}).to(at::kBFloat16).requires_grad_(),
             weight = torch::randn({64, 16}).requires_grad_();
  const auto targets = torch::randint(64, {1100}, at::kLong), mask = torch::ones({1100}, at::kByte);
  (cross_entropy(hidden, weight, 64, targets, mask, {}).loss / 11000)
      .backward();  // no power of two: it is rounded in bf16

  const auto low = hidden.detach();
  auto gradient = at::linear(low, weight.detach().to(at::kBFloat16)).to(at::kFloat).softmax(1);
  gradient.scatter_add_(1, targets.unsqueeze(1), torch::full({1100, 1}, -1.0F));
  gradient /= 11000;
  EXPECT_TRUE(near(weight.grad(), gradient.t().mm(low.to(at::kFloat))));
  EXPECT_TRUE(same_bits(hidden.grad(), gradient.mm(weight.detach()).to(at::kBFloat16)) ||
              test::error(hidden.grad(), gradient.mm(weight.detach())) < 1.75e-3);  // within bf16's last place
  const auto mean_ratio =
      (hidden.grad() * gradient.mm(weight.detach())).sum() / gradient.mm(weight.detach()).square().sum();
  EXPECT_NEAR(mean_ratio.item<double>(), 1, 5e-4);  // and off by no common factor
}

TEST(CrossEntropy, InEvaluationNothingIsRoundedToBfloat16) {
  torch::manual_seed(1);
  const auto hidden = torch::randn({1100, 16}).to(at::kBFloat16), weight = torch::randn({64, 16});
  const auto targets = torch::randint(64, {1100}, at::kLong), mask = torch::ones({1100}, at::kByte);
  const auto wide = hidden.to(at::kFloat);
  EXPECT_TRUE(same_bits(cross_entropy(hidden, weight, 64, targets, mask, {}).loss,
                        cross_entropy(wide, weight, 64, targets, mask, {}).loss));
  EXPECT_TRUE(same_bits(token_losses(hidden, weight, 64, targets, 0), token_losses(wide, weight, 64, targets, 0)));
}

TEST(CrossEntropy, HoldsTwoChunksOfLogitsAtMost) {
  constexpr std::int64_t kVocab = 9000, kBytesOfAChunk = 256 * kVocab * 4;
  const auto hidden = torch::randn({1024, 4}).requires_grad_(), weight = torch::randn({kVocab, 4}).requires_grad_();
  const auto targets = torch::zeros({1024}, at::kLong), mask = torch::ones({1024}, at::kByte);
  const test::Allocations allocations;
  cross_entropy(hidden, weight, kVocab, targets, mask, {}).loss.backward();
  EXPECT_LT(allocations.peak(), 2 * kBytesOfAChunk + (1 << 20));
}

TEST(CrossEntropy, RefusesAVocabularyThatDoesNotFit) {
  const auto hidden = torch::randn({3, 4}), weight = torch::randn({5, 4});
  const auto targets = torch::zeros({3}, at::kLong), mask = torch::ones({3}, at::kByte);
  for (const std::int64_t vocab_size : {0, 6}) {
    EXPECT_THROW(cross_entropy(hidden, weight, vocab_size, targets, mask, {}), c10::Error);
    EXPECT_THROW(token_losses(hidden, weight, vocab_size, targets, 0), c10::Error);
  }
}

TEST(CrossEntropy, RunsBackwardOnceAndOnlyOnce) {
  const auto hidden = torch::randn({3, 4}).requires_grad_(), weight = torch::randn({5, 4}).requires_grad_();
  const auto targets = torch::zeros({3}, at::kLong), mask = torch::ones({3}, at::kByte);
  const auto complaint = [](const at::Tensor& loss, bool create_graph) -> std::string {
    try {
      loss.backward({}, /*retain_graph=*/true, create_graph);
      return "";
    } catch (const c10::Error& error) {
      return error.what_without_backtrace();
    }
  };
  const auto loss = cross_entropy(hidden, weight, 5, targets, mask, {}).loss;
  EXPECT_EQ(complaint(loss, true), "cross_entropy: its gradient has no gradient (create_graph)");
  EXPECT_EQ(complaint(loss, false), "");
  EXPECT_EQ(complaint(loss, false), "cross_entropy: backward may run once");
}

}  // namespace
}  // namespace peerless
