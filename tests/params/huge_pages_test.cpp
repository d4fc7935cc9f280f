#include "peerless/params/huge_pages.h"

#include <gtest/gtest.h>
#include <torch/types.h>

#include <cstdint>

namespace peerless {
namespace {

TEST(HugePages, BigTensorsBeginAtAHugePageAndAreZero) {
  const auto table = huge_zeros({1 << 14, 1 << 10});  // 64 MiB
  EXPECT_EQ(reinterpret_cast<std::uintptr_t>(table.data_ptr()) % (std::uintptr_t{2} << 20), 0U);
  EXPECT_EQ(table.count_nonzero().item<std::int64_t>(), 0);
  table.fill_(1);  // to the last byte
  EXPECT_EQ(table.sum().item<double>(), 1 << 24);
}

TEST(HugePages, TheMemoryOutlivesTheTensorThatViewsRemain) {
  auto table = huge_zeros({1 << 14, 1 << 10});
  const auto row = table[7];
  table = at::Tensor();
  row.fill_(3);
  EXPECT_EQ(row.sum().item<double>(), 3 << 10);
}

TEST(HugePages, AnyShapeAndDtypeIsZeros) {
  for (const std::int64_t more : {-1, 0, 1}) {  // than the smallest tensor of such pages: 4 MiB
    const auto some = huge_zeros({(1 << 20) + more});
    EXPECT_EQ(some.count_nonzero().item<std::int64_t>(), 0);
    EXPECT_EQ(some.fill_(1).sum().item<double>(), (1 << 20) + more);
  }
  EXPECT_TRUE(torch::equal(huge_zeros({2, 3}, at::kDouble), torch::zeros({2, 3}, at::kDouble)));
  EXPECT_EQ(huge_zeros({0, 3}).numel(), 0);
}

}  // namespace
}  // namespace peerless
