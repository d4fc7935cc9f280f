#include "peerless/dist/communicator.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

namespace peerless {
namespace {

TEST(SingleProcess, IsAllThereIs) {
  const auto communicator = single_process();
  EXPECT_EQ(communicator->rank(), 0);
  EXPECT_EQ(communicator->world_size(), 1);
  EXPECT_TRUE(communicator->any(true));
  EXPECT_FALSE(communicator->any(false));
  const auto tensor = at::arange(5, at::kFloat);
  communicator->sum(tensor);
  EXPECT_TRUE(at::equal(tensor, at::arange(5, at::kFloat)));
}

}  // namespace
}  // namespace peerless
