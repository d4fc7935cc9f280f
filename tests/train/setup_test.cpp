#include "peerless/train/setup.h"

#include <gtest/gtest.h>

#include "tests/support/complaint.h"

namespace peerless {
namespace {

using test::Complaint;
using test::complaint;

TEST(Gpu, IsThatOfTheProcesssNumber) {
  EXPECT_EQ(gpu_of({.local_rank = 3, .local_size = 4}, 4), 3);
  EXPECT_EQ(gpu_of({.local_rank = 1, .local_size = 2}, 8), 1);
  EXPECT_EQ(gpu_of({.local_rank = 3, .local_size = 4}, 1), 0);  // each sees another
}

TEST(Gpu, IsNotShared) {
  EXPECT_EQ(complaint([] { gpu_of({.local_rank = 0, .local_size = 8}, 4); }),
            (Complaint{ExitCode::config,
                       "device: 8 processes on this host would share 4 GPUs, but each needs its own; start fewer, or "
                       "say device: cpu"}));
}

}  // namespace
}  // namespace peerless
