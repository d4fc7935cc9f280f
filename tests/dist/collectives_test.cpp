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
      sum(communicator, flat);
      EXPECT_TRUE(at::equal(flat, tree(0, communicator.world_size(), n))) << n << " numbers";
    });
  }
}

TEST_P(Sum, LeavesTheShareThatIsNotOurs) {
  constexpr std::int64_t kNumbers = 11;
  in_group(GetParam(), [&](Communicator& communicator) {
    const auto rank = communicator.rank(), size = communicator.world_size();
    const auto flat = numbers(rank, kNumbers);
    reduce_scatter(communicator, flat);
    for (std::int64_t r = 0; r < size; ++r) {
      const auto expected = r == rank ? tree(0, size, kNumbers) : numbers(rank, kNumbers);
      EXPECT_TRUE(at::equal(share_of(flat, r, size), share_of(expected, r, size))) << r;
    }
  });
}

INSTANTIATE_TEST_SUITE_P(Processes, Sum, testing::Values(1, 2, 3, 4, 5, 8));

TEST(Shares, AreEqualButTheLastAndMakeUpTheWhole) {
  const auto flat = at::arange(10);
  const auto sizes = [&](std::int64_t world) {
    std::vector<std::int64_t> all;
    for (std::int64_t r = 0; r < world; ++r) all.push_back(share_of(flat, r, world).numel());
    return all;
  };
  EXPECT_EQ(sizes(2), (std::vector<std::int64_t>{5, 5}));
  EXPECT_EQ(sizes(4), (std::vector<std::int64_t>{3, 3, 3, 1}));
  EXPECT_EQ(sizes(7), (std::vector<std::int64_t>{2, 2, 2, 2, 2, 0, 0}));
  EXPECT_EQ(share_of(flat, 3, 4).item<std::int64_t>(), 9);
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

TEST(Collectives, OneProcessNeedsNoOther) {
  const auto alone = single_process();
  const auto flat = at::arange(5, at::kFloat);
  sum(*alone, flat);
  EXPECT_TRUE(at::equal(flat, at::arange(5, at::kFloat)));
  EXPECT_TRUE(any(*alone, true));
  EXPECT_FALSE(any(*alone, false));
  EXPECT_EQ(gather(*alone, "here"), std::vector<std::string>{"here"});
}

}  // namespace
}  // namespace peerless
