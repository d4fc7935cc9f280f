#include "peerless/base/unique_name.h"

#include <gtest/gtest.h>

#include "peerless/base/hash.h"

namespace peerless {
namespace {

TEST(UniqueName, IsAnotherEachTime) {
  const auto name = unique_name();
  EXPECT_EQ(Digest::parse(name, "a name").hex(), name);
  EXPECT_NE(unique_name(), name);
}

}  // namespace
}  // namespace peerless
