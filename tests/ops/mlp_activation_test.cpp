#include "peerless/ops/mlp_activation.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <limits>

#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::numeric_gradient;
using test::same_bits;
using test::Threads;

class MlpActivation : public testing::TestWithParam<DenseActivation> {
 protected:
  bool has_gate() const { return gated(GetParam()); }
  // A gate and an up, leaves; the gate is undefined where there is none.
  std::vector<at::Tensor> draw(at::IntArrayRef shape, at::ScalarType dtype, double scale) const {
    torch::manual_seed(1);
    std::vector<at::Tensor> leaves;
    for (int i = 0; i < (has_gate() ? 2 : 1); ++i)
      leaves.push_back((torch::randn(shape, at::kDouble) * scale).to(dtype).requires_grad_());
    return leaves;
  }
  using Op = decltype(&mlp_activation);
  at::Tensor run(const std::vector<at::Tensor>& leaves, Op op = mlp_activation) const {
    return has_gate() ? op(GetParam(), leaves[0], leaves[1]) : op(GetParam(), {}, leaves[0]);
  }
};

INSTANTIATE_TEST_SUITE_P(Of, MlpActivation,
                         testing::Values(DenseActivation::gelu, DenseActivation::relu2, DenseActivation::swiglu,
                                         DenseActivation::geglu),
                         [](const auto& row) {
                           return std::string(enum_names(row.param)[static_cast<std::size_t>(row.param)]);
                         });

TEST_P(MlpActivation, EqualsThePlainWayInValueAndGradients) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto leaves = draw({7, 33}, dtype, 3);
    const auto y = run(leaves), expected = run(leaves, plain::mlp_activation);
    EXPECT_TRUE(near(y, expected));
    const auto grad = torch::randn_like(y);
    const auto ours = torch::autograd::grad({y}, leaves, {grad});
    const auto theirs = torch::autograd::grad({expected}, leaves, {grad});
    for (std::size_t i = 0; i < leaves.size(); ++i) EXPECT_TRUE(near(ours[i], theirs[i]));
  }
}

TEST_P(MlpActivation, GradientsAreFiniteDifferences) {
  const auto leaves = draw({12}, at::kDouble, 1);
  run(leaves).sum().backward();
  const auto loss = [&] { return run(leaves).sum().item<double>(); };
  for (const auto& leaf : leaves) EXPECT_LT(test::error(leaf.grad(), numeric_gradient(leaf, loss)), 1e-8);
}

TEST_P(MlpActivation, HandsOnWhatIsNoNumber) {
  std::vector<at::Tensor> leaves(has_gate() ? 2 : 1, torch::ones({40}));
  leaves[0] = leaves[0].clone();
  leaves[0][3] = std::nan("");
  EXPECT_TRUE(same_bits(run(leaves).isnan(), torch::arange(40) == 3));
}

TEST_P(MlpActivation, BitsDoNotDependOnTheNumberOfThreads) {
  const auto leaves = draw({100, 1001}, at::kFloat, 1);
  const auto run_with = [&](int threads) {
    const Threads guard(threads);
    return run(leaves);
  };
  EXPECT_TRUE(same_bits(run_with(1), run_with(2)));
  EXPECT_TRUE(same_bits(run_with(1), run_with(3)));
}

TEST_P(MlpActivation, TakesBfloat16) {
  const auto leaves = draw({50}, at::kBFloat16, 1);
  const auto y = run(leaves);
  EXPECT_EQ(y.scalar_type(), at::kBFloat16);
  std::vector<at::Tensor> wide;
  for (const auto& leaf : leaves) wide.push_back(leaf.to(at::kFloat));
  for (auto& leaf : wide) leaf = leaf.detach().requires_grad_();
  const auto wide_y = run(wide);
  EXPECT_LT(test::error(y, wide_y), test::tolerance(at::kBFloat16));
  const auto grad = torch::randn({50});
  y.backward(grad.to(at::kBFloat16));
  wide_y.backward(grad);
  for (std::size_t i = 0; i < leaves.size(); ++i)
    EXPECT_LT(test::error(leaves[i].grad(), wide[i].grad()), test::tolerance(at::kBFloat16));
}

// silu(g) = g sigmoid(g) element by element, over all that the exponential can meet.
TEST(Swiglu, IsAccurateForEveryGate) {
  for (const auto dtype : {at::kFloat, at::kDouble}) {
    const auto gate = torch::linspace(-80, 120, 100'003, dtype);
    const auto exact = gate.to(at::kDouble) / (1 + (-gate.to(at::kDouble)).exp());
    const auto y = mlp_activation(DenseActivation::swiglu, gate, torch::ones_like(gate));
    const auto error = (y.to(at::kDouble) - exact).abs() / exact.abs();
    EXPECT_LT(error.max().item<double>(), 4 * (dtype == at::kFloat ? 0x1p-24 : 0x1p-53));
  }
}

TEST(Swiglu, HandsOnWhatIsNotFinite) {
  const float infinity = std::numeric_limits<float>::infinity();
  const auto gate = torch::tensor({infinity, -1e30F});
  const auto y = mlp_activation(DenseActivation::swiglu, gate, torch::ones({2}));
  EXPECT_EQ(y[0].item<float>(), infinity);
  EXPECT_NEAR(y[1].item<float>(), 0, 1e-3);
}

}  // namespace
}  // namespace peerless
