#include <gtest/gtest.h>

#include "peerless/config/config.h"
#include "tests/config/example.h"
#include "tests/support/failing_allocations.h"

namespace peerless::config {
namespace {

TEST(ConfigOutOfMemory, IsReadOrNot) {
  const auto expected = example::full();
  const auto yaml = dump(expected);
  test::at_each_allocation(test::Where::here, [&](const auto& failing) {
    example::RunConfig found;
    if (failing([&] { found = parse<example::RunConfig>(yaml, "run.yaml"); })) {
      EXPECT_EQ(found, expected);
    }
  });
}

}  // namespace
}  // namespace peerless::config
