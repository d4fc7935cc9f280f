#include "peerless/ops/exchange.h"

#include <gtest/gtest.h>
#include <torch/torch.h>

#include <numeric>

#include "tests/support/local_group.h"
#include "tests/support/tensors.h"

namespace peerless {
namespace {

using test::in_group;
using test::same_bits;

constexpr std::int64_t kColumns = 12;

// The gradient of the sum of `y` times this process's rank + 1.
at::Tensor gradient(const at::Tensor& y, const at::Tensor& x, Communicator& group) {
  return torch::autograd::grad({(y * (group.rank() + 1)).sum()}, {x}).front();
}

// Rows that process `from` sends to `to`, which may be itself: of several, none come from the last or to the first.
std::int64_t rows_between(std::int64_t from, std::int64_t to, std::int64_t processes) {
  if (processes == 1) return 3;
  return from == processes - 1 || to == 0 ? 0 : (2 * from + 4 * to + 1) % 5;
}

TEST(SendRows, BringsEachRowWhereItBelongs) {
  for (const std::int64_t processes : {1, 2, 3, 4})
    in_group(processes, [&](Communicator& group) {
      RowCounts to, from;
      std::vector<at::Tensor> sent, expected, expected_grad;
      const auto rows = [](std::int64_t count, std::int64_t sender, std::int64_t receiver) {
        return at::arange(count * kColumns, at::kFloat).view({count, kColumns}) + 1000 * sender + 100000 * receiver;
      };
      for (std::int64_t r = 0; r < processes; ++r) {
        to.push_back(rows_between(group.rank(), r, processes));
        from.push_back(rows_between(r, group.rank(), processes));
        sent.push_back(rows(to.back(), group.rank(), r));
        expected.push_back(rows(from.back(), r, group.rank()));
        expected_grad.push_back(at::full({to.back(), kColumns}, static_cast<float>(r + 1)));
      }
      const auto x = at::cat(sent).requires_grad_();
      const auto received = send_rows(group, x, to, from);
      EXPECT_TRUE(same_bits(received, at::cat(expected)));
      EXPECT_TRUE(same_bits(gradient(received, x, group), at::cat(expected_grad)));
    });
}

// Each process has another number of tokens, and the first none.
class GroupTokensTest : public testing::TestWithParam<std::int64_t> {
 protected:
  static at::Tensor all_tokens(std::int64_t processes) {
    const auto count = processes * (processes - 1) / 2;
    return at::arange(count * kColumns, at::kFloat).view({count, kColumns});
  }
  static at::Tensor own(const at::Tensor& all, std::int64_t rank) {
    return all.slice(0, rank * (rank - 1) / 2, rank * (rank + 1) / 2).clone();
  }
};
INSTANTIATE_TEST_SUITE_P(Processes, GroupTokensTest, testing::Values(1, 2, 3, 4));

TEST_P(GroupTokensTest, ColumnsOfAllComeAndGoBack) {
  in_group(GetParam(), [&](Communicator& group) {
    const auto all = all_tokens(GetParam());
    const auto x = own(all, group.rank()).requires_grad_();
    const GroupTokens tokens(group, x.size(0));
    const auto columns = tokens.columns_of_all(x);
    EXPECT_TRUE(same_bits(columns, all.chunk(GetParam(), 1)[static_cast<std::size_t>(group.rank())].contiguous()));
    const auto back = tokens.own_tokens(2 * columns);
    EXPECT_TRUE(same_bits(back, 2 * x));
    EXPECT_TRUE(same_bits(gradient(back, x, group), at::full_like(x, 2 * static_cast<double>(group.rank() + 1))));
  });
}

TEST_P(GroupTokensTest, AllHaveAllTokens) {
  in_group(GetParam(), [&](Communicator& group) {
    const auto all = all_tokens(GetParam());
    const auto x = own(all, group.rank()).requires_grad_();
    const auto everywhere = GroupTokens(group, x.size(0)).all(x);
    EXPECT_TRUE(same_bits(everywhere, all));
    const auto sum_of_ranks = static_cast<double>(GetParam() * (GetParam() + 1) / 2);
    EXPECT_TRUE(same_bits(gradient(everywhere, x, group), at::full_like(x, sum_of_ranks)));
  });
}

}  // namespace
}  // namespace peerless
