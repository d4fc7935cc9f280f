#include "peerless/ops/swiglu.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <limits>

#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::numeric_gradient;
using test::same_bits;
using test::Threads;

TEST(Swiglu, EqualsThePlainWayInValueAndGradients) {
  torch::manual_seed(1);
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto gate = (torch::randn({7, 33}, dtype) * 10).requires_grad_(),
               up = torch::randn({7, 33}, dtype).requires_grad_();
    const auto y = swiglu(gate, up), expected = plain::swiglu(gate, up);
    EXPECT_TRUE(near(y, expected));
    const auto grad = torch::randn_like(y);
    const auto ours = torch::autograd::grad({y}, {gate, up}, {grad});
    const auto theirs = torch::autograd::grad({expected}, {gate, up}, {grad});
    EXPECT_TRUE(near(ours[0], theirs[0]));
    EXPECT_TRUE(near(ours[1], theirs[1]));
  }
}

TEST(Swiglu, GradientsAreFiniteDifferences) {
  torch::manual_seed(1);
  const auto gate = torch::randn({12}, at::kDouble).requires_grad_(),
             up = torch::randn({12}, at::kDouble).requires_grad_();
  swiglu(gate, up).sum().backward();
  const auto loss = [&] { return swiglu(gate, up).sum().item<double>(); };
  EXPECT_LT(test::error(gate.grad(), numeric_gradient(gate, loss)), 1e-8);
  EXPECT_LT(test::error(up.grad(), numeric_gradient(up, loss)), 1e-8);
}

// silu(g) = g sigmoid(g) element by element, over all that the exponential can meet.
TEST(Swiglu, IsAccurateForEveryGate) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto gate = torch::linspace(-80, 120, 100'003, dtype);
    const auto exact = gate.to(at::kDouble) / (1 + (-gate.to(at::kDouble)).exp());
    const auto error = (swiglu(gate, torch::ones_like(gate)).to(at::kDouble) - exact).abs() / exact.abs();
    EXPECT_LT(error.max().item<double>(), 4 * (dtype == at::kFloat ? 0x1p-24 : 0x1p-53));
  }
}

TEST(Swiglu, HandsOnWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto gate = torch::tensor({infinity, -1e30F, NAN}), ones = torch::ones({3});
  const auto y = swiglu(gate, ones);
  EXPECT_EQ(y[0].item<float>(), infinity);
  EXPECT_NEAR(y[1].item<float>(), 0, 1e-3);
  EXPECT_TRUE(y[2].isnan().item<bool>());
}

TEST(Swiglu, BitsDoNotDependOnTheNumberOfThreads) {
  torch::manual_seed(1);
  const auto gate = torch::randn({100, 1001}), up = torch::randn({100, 1001});
  const auto run_with = [&](int threads) {
    const Threads guard(threads);
    return swiglu(gate, up);
  };
  EXPECT_TRUE(same_bits(run_with(1), run_with(2)));
  EXPECT_TRUE(same_bits(run_with(1), run_with(3)));
}

}  // namespace
}  // namespace peerless
