#include "peerless/ops/rms_norm.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::numeric_gradient;
using test::same_bits;
using test::Threads;

constexpr double kEps = 1e-3;

TEST(RmsNorm, EqualsTheFormulaInValueAndGradients) {
  torch::manual_seed(1);
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    for (const std::int64_t rows : {1, 64, 130}) {
      const auto x = torch::randn({rows, 2, 19}, dtype).requires_grad_(),
                 weight = torch::randn({19}, dtype).requires_grad_();
      const auto grad = torch::randn_like(x);
      const auto y = rms_norm(x, weight, kEps);
      const auto expected = x / (x.square().mean(-1, true) + kEps).sqrt() * weight;
      EXPECT_TRUE(near(y, expected));
      const auto ours = torch::autograd::grad({y}, {x, weight}, {grad});
      const auto theirs = torch::autograd::grad({expected}, {x, weight}, {grad});
      EXPECT_TRUE(near(ours[0], theirs[0]));
      EXPECT_TRUE(near(ours[1], theirs[1]));
      EXPECT_TRUE(near(plain::rms_norm(x, weight, kEps), expected));
    }
  }
}

TEST(RmsNorm, GradientsAreFiniteDifferences) {
  torch::manual_seed(1);
  const auto x = torch::randn({3, 4}, at::kDouble).requires_grad_(),
             weight = torch::randn({4}, at::kDouble).requires_grad_();
  const auto grad = torch::randn({3, 4}, at::kDouble);
  rms_norm(x, weight, kEps).backward(grad);
  const auto loss = [&] { return (rms_norm(x, weight, kEps) * grad).sum().item<double>(); };
  EXPECT_LT(test::error(x.grad(), numeric_gradient(x, loss)), 1e-8);
  EXPECT_LT(test::error(weight.grad(), numeric_gradient(weight, loss)), 1e-8);
}

TEST(RmsNorm, BitsDoNotDependOnTheNumberOfThreads) {
  torch::manual_seed(1);
  const auto x = torch::randn({1000, 48}).requires_grad_(), weight = torch::randn({48}).requires_grad_();
  const auto run_with = [&](int threads) {
    const Threads guard(threads);
    const auto y = rms_norm(x, weight, kEps);
    const auto grads = torch::autograd::grad({y}, {x, weight}, {x.detach()});
    return std::vector<at::Tensor>{y, grads[0], grads[1]};
  };
  const auto one = run_with(1), two = run_with(2);
  for (std::size_t i = 0; i < one.size(); ++i) EXPECT_TRUE(same_bits(one[i], two[i])) << i;
}

TEST(RmsNorm, OfBfloat16IsComputedInFloat) {
  torch::manual_seed(1);
  const auto x = torch::randn({5, 16}).to(at::kBFloat16), weight = torch::randn({16});
  EXPECT_TRUE(same_bits(rms_norm(x, weight, kEps), rms_norm(x.to(at::kFloat), weight, kEps).to(at::kBFloat16)));
}

}  // namespace
}  // namespace peerless
