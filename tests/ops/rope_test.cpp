#include "peerless/ops/rope.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "src/ops/cuda/rope_items.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::same_bits;

class RopeTest : public testing::TestWithParam<at::ScalarType> {
 protected:
  void SetUp() override {
    torch::manual_seed(1);
    x_ = torch::randn({2, 5, 3, 6}, dtype_).requires_grad_();
    const auto angles = torch::randn({5, 3}, at::kDouble);
    cos_ = angles.cos().to(dtype_);
    sin_ = angles.sin().to(dtype_);
  }

  const at::ScalarType dtype_ = GetParam();
  at::Tensor x_, cos_, sin_;
};

// As complex numbers: (a + ib) e^{i angle}.
TEST_P(RopeTest, TurnsEachPairByItsPositionsAngle) {
  const auto halves = x_.to(at::kDouble).chunk(2, -1);
  const auto turn = torch::complex(cos_.to(at::kDouble), sin_.to(at::kDouble)).unsqueeze(1);
  const auto turned = torch::complex(halves[0], halves[1]) * turn;
  const auto expected = torch::cat({torch::real(turned), torch::imag(turned)}, -1);
  EXPECT_TRUE(near(rope(x_, cos_, sin_), expected.to(dtype_)));
  EXPECT_TRUE(near(plain::rope(x_, cos_, sin_), expected.to(dtype_)));
}

TEST_P(RopeTest, GradientIsThatOfThePlainWay) {
  const auto grad = torch::randn_like(x_);
  const auto ours = torch::autograd::grad({rope(x_, cos_, sin_)}, {x_}, {grad});
  EXPECT_TRUE(near(ours[0], torch::autograd::grad({plain::rope(x_, cos_, sin_)}, {x_}, {grad})[0]));
}

TEST_P(RopeTest, TakesAViewOfAWiderProjection) {
  const auto wide = torch::randn({2, 5, 9, 6}, dtype_);
  const auto view = wide.narrow(2, 3, 3);
  EXPECT_TRUE(same_bits(rope(view, cos_, sin_), rope(view.contiguous(), cos_, sin_)));
}

// The CUDA kernel's code for one thread, run for every pair.
TEST_P(RopeTest, PairsOfTheGpuAreTheSame) {
  const torch::NoGradGuard no_grad;
  for (const int direction : {1, -1}) {
    const auto y = torch::zeros_like(x_);
    AT_DISPATCH_FLOATING_TYPES(dtype_, "rope", [&] {
      const cuda::Rope<scalar_t> rope{.length = 5,
                                      .heads = 3,
                                      .half = 3,
                                      .cos = cos_.const_data_ptr<scalar_t>(),
                                      .sin = sin_.const_data_ptr<scalar_t>(),
                                      .direction = static_cast<scalar_t>(direction)};
      for (std::int64_t i = 0; i < x_.numel() / 2; ++i)
        cuda::rotate_pair(rope, x_.const_data_ptr<scalar_t>(), y.mutable_data_ptr<scalar_t>(), i);
    });
    EXPECT_TRUE(near(y, plain::rope(x_, cos_, direction * sin_)));
  }
}

INSTANTIATE_TEST_SUITE_P(All, RopeTest, testing::Values(at::kFloat, at::kDouble),
                         [](const auto& test) { return test.param == at::kFloat ? "Float" : "Double"; });

TEST(Rope, TurnsBfloat16InFloatAndRoundsOnce) {
  torch::manual_seed(1);
  const auto x = torch::randn({2, 5, 3, 6}).to(at::kBFloat16).requires_grad_();
  const auto angles = torch::randn({5, 3}), cos = angles.cos(), sin = angles.sin();
  const auto wide = rope(x.to(at::kFloat), cos, sin);
  for (const auto op : {rope, plain::rope}) {
    EXPECT_TRUE(near(op(x, cos, sin).to(at::kFloat), wide.to(at::kBFloat16).to(at::kFloat)));
    EXPECT_EQ(op(x, cos, sin).scalar_type(), at::kBFloat16);
  }
  const auto grad = torch::randn_like(x);
  const auto ours = torch::autograd::grad({rope(x, cos, sin)}, {x}, {grad})[0];
  EXPECT_TRUE(same_bits(ours, rope(grad.to(at::kFloat), cos, -sin).to(at::kBFloat16)));
}

}  // namespace
}  // namespace peerless
