// The kernels beside the operators they stand for. The CUDA kernels' code for one thread is run on the CPU for every
// thread.
#include "src/ops/pair_rows.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "peerless/ops/row_table.h"
#include "src/ops/cuda/pair_rows_items.h"
#include "src/ops/group_by_row.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::near;

constexpr std::int64_t kTokens = 17, kChosen = 5, kRows = 11, kWidth = 23, kColumn = 4, kPart = 13;

template <class T>
struct PairRows : testing::Test {
  PairRows() { torch::manual_seed(1); }

  cuda::PairRows<T> rows() const {
    return {kChosen, kWidth, kColumn, kPart, ids.const_data_ptr<std::int32_t>(), table.const_data_ptr<T>()};
  }

  const at::TensorOptions options = at::TensorOptions(c10::CppTypeToScalarType<T>::value);
  const at::Tensor table = torch::randn({kRows, kWidth}, options);
  const at::Tensor ids = torch::randint(kRows - 2, {kTokens, kChosen}, at::kInt);  // the last rows stay without
  const at::Tensor x = torch::randn({kTokens, kPart}, options), weights = torch::randn({kTokens, kChosen}, options);
};
using Types = testing::Types<float, double>;
TYPED_TEST_SUITE(PairRows, Types);

TYPED_TEST(PairRows, KernelsDoAsOperatorsDo) {
  EXPECT_TRUE(near(KernelPairs::dot(this->x, this->ids, this->table, kColumn),
                   PlainPairs::dot(this->x, this->ids, this->table, kColumn)));
  EXPECT_TRUE(near(KernelPairs::sum(this->weights, this->ids, this->table, kColumn, kPart),
                   PlainPairs::sum(this->weights, this->ids, this->table, kColumn, kPart)));
  RowGrad by_kernel(kRows, 2 * kPart, this->options), plain(kRows, 2 * kPart, this->options);
  const auto more = torch::randn_like(this->weights), source = torch::randn_like(this->x);
  for (const auto& asked : {this->ids, this->ids + 1}) {  // rows that hold something, and fresh ones
    KernelPairs::add_grads(asked, {{this->weights, this->x}, {more, source}}, by_kernel);
    PlainPairs::add_grads(asked, {{this->weights, this->x}, {more, source}}, plain);
  }
  EXPECT_TRUE(near(by_kernel.dense(), plain.dense()));
  EXPECT_TRUE(
      near(at::tensor(by_kernel.sums_of_squares(), this->options), at::tensor(plain.sums_of_squares(), this->options)));
}

TYPED_TEST(PairRows, LanesTogetherAreADotProduct) {
  const auto out = at::zeros({kTokens, kChosen}, this->options);
  for (std::int64_t pair = 0; pair < kTokens * kChosen; ++pair)
    for (int lane = 0; lane < 32; ++lane)
      out.template mutable_data_ptr<TypeParam>()[pair] +=
          cuda::pair_dot_share(this->rows(), this->x.template const_data_ptr<TypeParam>(), pair, lane, 32);
  EXPECT_TRUE(near(out, PlainPairs::dot(this->x, this->ids, this->table, kColumn)));
}

TYPED_TEST(PairRows, ElementsTogetherAreAWeightedSum) {
  const auto y = at::zeros({kTokens, kPart}, this->options);
  for (std::int64_t i = 0; i < y.numel(); ++i)
    y.template mutable_data_ptr<TypeParam>()[i] =
        cuda::pair_sum_element(this->rows(), this->weights.template const_data_ptr<TypeParam>(), i / kPart, i % kPart);
  EXPECT_TRUE(near(y, PlainPairs::sum(this->weights, this->ids, this->table, kColumn, kPart)));
}

TYPED_TEST(PairRows, ElementsTogetherAreTheSumsOfRows) {
  const auto groups = group_by_row(
      {this->ids.template const_data_ptr<std::int32_t>(), static_cast<std::size_t>(this->ids.numel())}, kRows);
  const std::vector<std::int64_t> order(groups.order.begin(), groups.order.end());
  const cuda::PairsOfRows pairs{kChosen, order.data(), groups.starts.data()};
  RowTable rows(kRows, kPart, Init::normal(1), this->options);
  PlainPairs::add_grads(this->ids, {{this->weights, this->x}}, *rows.grad());
  const auto expected = rows.grad()->dense();
  const auto sums = at::zeros_like(expected);
  for (std::size_t r = 0; r < groups.rows.size(); ++r)
    for (std::int64_t i = 0; i < kPart; ++i)
      sums.template mutable_data_ptr<TypeParam>()[groups.rows[r] * kPart + i] =
          cuda::row_sum_element(pairs, this->weights.template const_data_ptr<TypeParam>(),
                                this->x.template const_data_ptr<TypeParam>(), kPart, static_cast<std::int64_t>(r), i);
  EXPECT_TRUE(near(sums, expected));
}

}  // namespace
}  // namespace peerless
