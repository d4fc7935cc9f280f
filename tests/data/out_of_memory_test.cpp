#include <gtest/gtest.h>

#include "tests/data/shards.h"
#include "tests/support/failing_allocations.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

TEST(ShardOutOfMemory, IsReadOrNot) {
  const TemporaryFolder folder;
  const auto file = folder / "a.tok";
  const auto documents = counting_documents({5, 2, 9, 3});
  write_shard(file, documents);
  test::at_each_allocation(test::Where::here, [&](const auto& failing) {
    std::vector<std::int64_t> tokens;
    const auto read = [&] {
      const TokenShard shard(file);
      shard.verify();
      tokens.resize(shard.tokens());
      shard.copy(0, tokens);
    };
    if (failing(read)) {
      EXPECT_EQ(tokens, concatenated(documents));
    }
  });
}

}  // namespace
}  // namespace peerless
