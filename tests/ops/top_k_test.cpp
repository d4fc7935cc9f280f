#include "peerless/ops/top_k.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::same_bits;

// Few different scores, so that most are equal to some other.
TEST(TopK, TakesTheBestAndOfEqualsTheLowestIds) {
  torch::manual_seed(1);
  for (const std::int64_t n : {1, 2, 7, 64, 300}) {
    const auto scores = torch::randint(9, {200, n}).to(at::kFloat);
    for (const std::int64_t k : {std::int64_t{1}, (n + 1) / 2, n}) {
      const auto ids = top_k_ids(scores, k);
      EXPECT_EQ(ids.scalar_type(), at::kLong);
      EXPECT_TRUE(same_bits(ids, plain::top_k_ids(scores, k))) << n << " " << k;
    }
  }
  EXPECT_TRUE(same_bits(top_k_ids(torch::tensor({{1.0, 3.0, 3.0, 2.0}}), 3), torch::tensor({{1, 2, 3}})));
}

TEST(TopK, WhatIsNoNumberComesFirst) {
  const auto scores = torch::tensor({{1.0F, NAN, 3.0F, NAN}});
  EXPECT_TRUE(same_bits(top_k_ids(scores, 3), torch::tensor({{1, 3, 2}})));
  EXPECT_TRUE(same_bits(plain::top_k_ids(scores, 3), torch::tensor({{1, 3, 2}})));
}

TEST(TopK, RefusesMoreThanThereAre) {
  EXPECT_THROW(top_k_ids(torch::zeros({2, 3}), 4), c10::Error);
  EXPECT_THROW(top_k_ids(torch::zeros({2, 3}), 0), c10::Error);
}

}  // namespace
}  // namespace peerless
