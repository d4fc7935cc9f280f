#include "peerless/train/replica_check.h"

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
