#include "peerless/dist/collectives.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include "peerless/base/error.h"
#include "tests/support/complaint.h"
#include "tests/support/local_group.h"

namespace peerless {
namespace {

using test::in_group;

// Numbers whose sum depends on the order in which they are added.
at::Tensor numbers(std::int64_t rank, std::int64_t n) {
  const auto i = at::arange(n, at::kFloat) + 1;
  return at::sin(i * static_cast<double>(rank + 1)) * at::pow(10., 3 * at::cos(i * static_cast<double>(7 * rank + 3)));
}

at::Tensor tree(std::int64_t first, std::int64_t count, std::int64_t n) {
  if (count == 1) return numbers(first, n);
  std::int64_t left = 1;
  while (2 * left < count) left *= 2;
  return tree(first, left, n) + tree(first + left, count - left, n);
}

class Sum : public testing::TestWithParam<std::int64_t> {};

TEST_P(Sum, IsThatOfTheBinaryTreeOnAllProcesses) {
  for (const std::int64_t n : {0, 1, 3, 8, 1000}) {
    in_group(GetParam(), [&](Communicator& communicator) {
      const auto flat = numbers(communicator.rank(), n);
      sum(communicator, {flat});
      EXPECT_TRUE(at::equal(flat, tree(0, communicator.world_size(), n))) << n << " numbers";
    });
  }
}

at::Tensor slice(const at::Tensor& flat, const Share& share) { return flat.slice(0, share.begin, share.end); }

// Of several tensors at once, with equal shares and with one owner of all.
TEST_P(Sum, ReachesTheOwnerAlone) {
  in_group(GetParam(), [&](Communicator& communicator) {
    const auto rank = communicator.rank(), size = communicator.world_size();
    Shares one_owner(static_cast<std::size_t>(size), {9, 9});
    one_owner.front() = {0, 9};
    const std::vector<SharedTensor> tensors{{numbers(rank, 11), equal_shares(11, size, 2)},
                                            {numbers(rank, 9), one_owner}};
    reduce_scatter(communicator, tensors);
    for (const auto& [flat, shares] : tensors)
      for (std::int64_t r = 0; r < size; ++r) {
        const auto expected = r == rank ? tree(0, size, flat.numel()) : numbers(rank, flat.numel());
        const auto& share = shares[static_cast<std::size_t>(r)];
        EXPECT_TRUE(at::equal(slice(flat, share), slice(expected, share))) << r;
      }
    all_gather(communicator, tensors);
    for (const auto& [flat, shares] : tensors) EXPECT_TRUE(at::equal(flat, tree(0, size, flat.numel())));
  });
}

INSTANTIATE_TEST_SUITE_P(Processes, Sum, testing::Values(1, 2, 3, 4, 5, 8));

TEST(Shares, AreWholeBlocksAndDifferByOneAtMost) {
  EXPECT_EQ(equal_shares(10, 2, 1), (Shares{{0, 5}, {5, 10}}));
  EXPECT_EQ(equal_shares(10, 4, 1), (Shares{{0, 2}, {2, 5}, {5, 7}, {7, 10}}));
  EXPECT_EQ(equal_shares(10, 3, 4), (Shares{{0, 4}, {4, 8}, {8, 10}}));
  EXPECT_EQ(equal_shares(3, 2, 4), (Shares{{0, 0}, {0, 3}}));
  EXPECT_EQ(equal_shares(0, 2, 4), (Shares{{0, 0}, {0, 0}}));
}

// Shares of more than one piece.
TEST(Collectives, LongTensorsGoInPieces) {
  const std::int64_t n = 5'000'001;
  in_group(2, [&](Communicator& communicator) {
    const auto flat = at::arange(n, at::kFloat) + communicator.rank();
    sum(communicator, {flat});
    EXPECT_TRUE(at::equal(flat, at::arange(n, at::kFloat) + (at::arange(n, at::kFloat) + 1)));
  });
}

TEST(Collectives, OneThatAsksIsHeardByAll) {
  in_group(3, [](Communicator& communicator) {
    EXPECT_TRUE(any(communicator, communicator.rank() == 2));
    EXPECT_FALSE(any(communicator, false));
  });
}

TEST(Collectives, TextsOfAnyLengthAreGatheredByRank) {
  const std::vector<std::string> texts{"zero", "", std::string(100000, 'x')};
  in_group(3, [&](Communicator& communicator) {
    EXPECT_EQ(gather(communicator, texts[static_cast<std::size_t>(communicator.rank())]), texts);
  });
}

TEST(Collectives, WhatFailsOnOneFailsOnAll) {
  in_group(3, [](Communicator& communicator) {
    together(communicator, [] {});
    const auto said = test::complaint([&] {
      together(communicator, [&] {
        if (communicator.rank() == 1) throw Error(ExitCode::output, "the disk is gone");
      });
    });
    const char* const text = communicator.rank() == 1 ? "the disk is gone" : "process 1: the disk is gone";
    EXPECT_EQ(said, (test::Complaint{ExitCode::output, text}));
  });
}

TEST(Collectives, WhatIsNoErrorOfOursFailsOnAllToo) {
  in_group(2, [](Communicator& communicator) {
    const auto fail = [&] {
      together(communicator, [&] {
        if (communicator.rank() == 0) throw std::runtime_error("no memory");
      });
    };
    const char* const text = communicator.rank() == 0 ? "no memory" : "process 0: no memory";
    EXPECT_EQ(test::complaint(fail), (test::Complaint{ExitCode::internal, text}));
    EXPECT_THROW(fail(), SharedError) << "so that nobody is lost by it";
  });
}

TEST(Collectives, OneProcessNeedsNoOther) {
  const auto flat = at::arange(5, at::kFloat);
  sum(alone(), {flat});
  EXPECT_TRUE(at::equal(flat, at::arange(5, at::kFloat)));
  EXPECT_TRUE(any(alone(), true));
  EXPECT_FALSE(any(alone(), false));
  EXPECT_EQ(gather(alone(), "here"), std::vector<std::string>{"here"});
}

}  // namespace
}  // namespace peerless
