#include "peerless/ops/row_adamw.h"

#include <gtest/gtest.h>
#include <torch/optim/adamw.h>
#include <torch/types.h>

#include <string>
#include <tuple>

#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;
using test::same_bits;
using test::Threads;

using Op = decltype(&row_adamw);

class RowAdamWTest : public testing::TestWithParam<std::tuple<at::ScalarType, bool>> {
 protected:
  static constexpr std::int64_t kRows = 200, kWidth = 19;

  void SetUp() override {
    torch::manual_seed(1);
    weight_ = torch::randn({kRows, kWidth}, options_);
    m_ = torch::zeros_like(weight_);
    v_ = torch::zeros_like(weight_);
  }

  // A gradient for some rows.
  void touch(const std::vector<std::int32_t>& rows) {
    grad_.clear();
    grad_.add(torch::tensor(rows, at::kInt), torch::randn({static_cast<std::int64_t>(rows.size()), kWidth}, options_));
  }

  std::vector<at::Tensor> tensors() const { return {weight_, m_, v_}; }

  const at::TensorOptions options_ = at::TensorOptions(std::get<0>(GetParam()));
  const Op op_ = std::get<1>(GetParam()) ? plain::row_adamw : row_adamw;
  RowGrad grad_{kRows, kWidth, options_};
  at::Tensor weight_, m_, v_;
};

// torch.optim.SparseAdam, with the decay of AdamW on the rows it updates.
void sparse_adam(const std::vector<at::Tensor>& state, const at::Tensor& ids, const at::Tensor& grad,
                 const RowAdamW& o) {
  const auto w = state[0].index_select(0, ids), m = state[1].index_select(0, ids), v = state[2].index_select(0, ids);
  const auto m_update = (grad - m) * (1 - o.beta1), v_update = (grad.pow(2) - v) * (1 - o.beta2);
  const double step_size = o.lr * std::sqrt(1 - std::pow(o.beta2, o.step)) / (1 - std::pow(o.beta1, o.step));
  state[0].index_copy_(0, ids,
                       w * (1 - o.lr * o.weight_decay) - step_size * (m + m_update) / ((v + v_update).sqrt() + o.eps));
  state[1].index_copy_(0, ids, m + m_update);
  state[2].index_copy_(0, ids, v + v_update);
}

TEST_P(RowAdamWTest, TouchedRowsIsSparseAdam) {
  const std::vector<at::Tensor> reference{weight_.clone(), m_.clone(), v_.clone()};
  const std::vector<std::vector<std::int32_t>> steps{{3, 199, 0, 7}, {7, 5}, {3, 150, 151, 152, 8}};
  RowAdamW options{.lr = 0.1, .eps = 1e-3, .weight_decay = 0.3, .grad_scale = 0.7};
  for (options.step = 1; options.step <= 3; ++options.step) {
    const auto& rows = steps[options.step - 1];
    touch(rows);
    op_(weight_, m_, v_, grad_, options);
    sparse_adam(reference, torch::tensor(rows, at::kInt).to(at::kLong), grad_.values() * options.grad_scale, options);
  }
  for (int i = 0; i < 3; ++i) EXPECT_TRUE(near(tensors()[i], reference[i])) << i;
}

TEST_P(RowAdamWTest, DenseIsAdamW) {
  const auto parameter = weight_.clone().requires_grad_();
  RowAdamW options{.update = TableUpdate::dense, .lr = 0.1, .eps = 1e-3, .weight_decay = 0.3, .grad_scale = 0.7};
  torch::optim::AdamW reference(
      {parameter}, torch::optim::AdamWOptions(options.lr).eps(options.eps).weight_decay(options.weight_decay));
  for (options.step = 1; options.step <= 3; ++options.step) {
    touch({static_cast<std::int32_t>(options.step), 7, 199});
    op_(weight_, m_, v_, grad_, options);
    parameter.mutable_grad() = grad_.dense() * options.grad_scale;
    reference.step();
  }
  EXPECT_TRUE(near(weight_, parameter));
}

TEST_P(RowAdamWTest, UntouchedRowsKeepEveryBitAndTouchedOnesChange) {
  touch({1, 2, 3});
  op_(weight_, m_, v_, grad_, {});  // moments that are not zero
  std::vector<at::Tensor> before;
  for (const auto& t : tensors()) before.push_back(t.clone());
  touch({2, 9});
  op_(weight_, m_, v_, grad_, {.weight_decay = 0.1, .step = 2});
  for (int i = 0; i < 3; ++i) {
    const auto changed = (tensors()[i] != before[i]).any(1).nonzero().flatten();
    EXPECT_TRUE(same_bits(changed, torch::tensor({2, 9}))) << i;
  }
}

TEST_P(RowAdamWTest, NothingTouchedIsNoUpdate) {
  const auto before = weight_.clone();
  op_(weight_, m_, v_, grad_, {.weight_decay = 0.1});
  EXPECT_TRUE(same_bits(weight_, before));
}

std::string name_of_case(const testing::TestParamInfo<RowAdamWTest::ParamType>& info) {
  return std::string(std::get<1>(info.param) ? "Plain" : "") +
         (std::get<0>(info.param) == at::kFloat ? "Float" : "Double");
}

INSTANTIATE_TEST_SUITE_P(All, RowAdamWTest, testing::Combine(testing::Values(at::kFloat, at::kDouble), testing::Bool()),
                         name_of_case);

TEST(RowAdamW, BitsDoNotDependOnTheNumberOfThreads) {
  const auto run_with = [](int threads) {
    const Threads guard(threads);
    torch::manual_seed(1);
    const auto weight = torch::randn({500, 16}), m = torch::randn({500, 16}), v = torch::rand({500, 16});
    RowGrad grad(500, 16, at::kFloat);
    grad.add(torch::arange(0, 500, 2, at::kInt), torch::randn({250, 16}));
    row_adamw(weight, m, v, grad, {.update = TableUpdate::dense});
    row_adamw(weight, m, v, grad, {.step = 2});
    return weight;
  };
  EXPECT_TRUE(same_bits(run_with(1), run_with(2)));
}

TEST(RowAdamW, RefusesMomentsOfAnotherShape) {
  const auto weight = torch::zeros({3, 2}), m = torch::zeros({3, 1});
  const RowGrad grad(3, 2, at::kFloat);
  try {
    row_adamw(weight, m, weight, grad, {});
    FAIL();
  } catch (const c10::Error& error) {
    EXPECT_STREQ(
        error.what_without_backtrace(),
        "row_adamw: expected weight, moments and gradient alike and contiguous, got Float [3, 2] and Float [3, 1]");
  }
}

// Without flushing, rounding stops them at a few of the smallest numbers there are.
TEST(RowAdamW, MomentsOfRowsWithoutAGradientEndAtZero) {
  for (const auto update : {TableUpdate::touched_rows, TableUpdate::dense}) {
    for (const auto dtype : {at::kFloat, at::kDouble}) {
      const bool wide = dtype == at::kDouble;  // whose smallest number is farther away
      RowAdamW options{.update = update, .beta1 = wide ? 0.5 : 0.9, .beta2 = wide ? 0.5 : 0.95};
      const auto weight = torch::ones({3, 19}, dtype), m = torch::full({3, 19}, 1e-3, dtype),
                 v = torch::full({3, 19}, 1e-6, dtype);
      RowGrad grad(3, 19, dtype);
      grad.add(torch::arange(3, at::kInt), torch::zeros({3, 19}, dtype));
      for (options.step = 1; options.step <= 2000; ++options.step) row_adamw(weight, m, v, grad, options);
      EXPECT_TRUE(same_bits(m, torch::zeros_like(m)));
      EXPECT_TRUE(same_bits(v, torch::zeros_like(v)));
    }
  }
}

TEST(RowAdamW, LeavesTheThreadsFloatingPointModeAsItWas) {
  const auto weight = torch::ones({3, 19}), m = torch::zeros({3, 19}), v = torch::zeros({3, 19});
  RowGrad grad(3, 19, at::kFloat);
  grad.add(torch::arange(3, at::kInt), torch::ones({3, 19}));
  row_adamw(weight, m, v, grad, {});
  volatile float smallest_normal = 0x1p-126F;
  EXPECT_GT(smallest_normal / 2, 0);
}

// A graph that read the table before an update must not run backward as if it had not changed.
TEST(RowAdamW, TellsAutogradThatTheTableChanged) {
  for (const auto op : {row_adamw, plain::row_adamw}) {
    const auto weight = torch::ones({3, 2}).requires_grad_();
    const auto loss = weight.square().sum();
    RowGrad grad(3, 2, at::kFloat);
    grad.add(torch::arange(1, at::kInt), torch::ones({1, 2}));
    op(weight, torch::zeros({3, 2}), torch::zeros({3, 2}), grad, {});
    EXPECT_THROW(loss.backward(), c10::Error);
  }
}

}  // namespace
}  // namespace peerless
