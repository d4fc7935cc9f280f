#include "peerless/train/replica_check.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/torch.h>

#include "tests/support/complaint.h"
#include "tests/support/local_group.h"

namespace peerless {
namespace {

// What process `rank` of four says of two tensors and a slice, of which some have one element changed.
test::Complaint said(Communicator& communicator, std::int64_t changed_rank, std::int64_t element, std::int64_t number,
                     std::int64_t size = 1000) {
  const auto a = at::ones({10, 3}), b = at::zeros({size}), slice = at::full({2}, communicator.rank());
  if (communicator.rank() == changed_rank) b[element] = 1e-30;
  const NamedTensors tensors{{"model.a", a}, {"model.b", b}, {"optim.slice", slice, NamedTensor::Slice{{8}, {0}}}};
  return test::complaint([&] { check_replicas(communicator, tensors, number); });
}

TEST(ReplicaCheck, SaysNothingWhereAllHoldTheSame) {
  test::in_group(3, [](Communicator& communicator) { EXPECT_EQ(said(communicator, -1, 0, 0).text, ""); });
}

TEST(ReplicaCheck, NamesTheTensorAndWhoDiffers) {
  test::in_group(3, [](Communicator& communicator) {
    EXPECT_EQ(
        said(communicator, 1, 999, 0),
        (test::Complaint{ExitCode::internal,
                         "processes that should hold the same numbers do not; equal ones stand together:\n"
                         "  model.b: 0, 2 | 1\n"
                         "a resume goes on from the newest checkpoint; if it happens again, suspect the memory of a "
                         "host"}));
  });
}

// Of two parts, which ranks 0 and 2 hold, and 1 and 3.
TEST(ReplicaCheck, ComparesThoseThatHoldTheSamePart) {
  const auto said_where = [](Communicator& communicator, std::int64_t changed_rank) {
    const auto part = at::full({8}, static_cast<double>(communicator.rank() % 2));
    if (communicator.rank() == changed_rank) part[3] = 7;
    const NamedTensors tensors{{"model.part", part, NamedTensor::Slice{{16}, {0}, 2}}};
    return test::complaint([&] { check_replicas(communicator, tensors, 0); });
  };
  test::in_group(4, [&](Communicator& communicator) {
    EXPECT_EQ(said_where(communicator, -1).text, "");
    EXPECT_THAT(said_where(communicator, 2).text, testing::HasSubstr("\n  model.part: 0 | 2\n"));
    EXPECT_THAT(said_where(communicator, 3).text, testing::HasSubstr("\n  model.part: 1 | 3\n"));
  });
}

// 64 MiB a check: of three pieces some checks see one, others another.
TEST(ReplicaCheck, SeesAllOfALargeTensorInTime) {
  constexpr std::int64_t kPiece = 16 << 20;
  test::in_group(2, [](Communicator& communicator) {
    for (const std::int64_t element : {std::int64_t{0}, 2 * kPiece - 1, 2 * kPiece + 4}) {
      int seen = 0;
      for (std::int64_t step = 0; step < 12; ++step)
        seen += said(communicator, 0, element, step, 2 * kPiece + 5).code == ExitCode::internal ? 1 : 0;
      EXPECT_GT(seen, 0) << element;
      EXPECT_LT(seen, 12) << element;
    }
  });
}

}  // namespace
}  // namespace peerless
