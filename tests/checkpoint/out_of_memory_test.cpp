// Whichever allocation fails, nobody reads what is not there, and a checkpoint that was durable still is.
#include <gtest/gtest.h>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/manifest.h"
#include "peerless/checkpoint/safetensors.h"
#include "tests/checkpoint/small_state.h"
#include "tests/support/failing_allocations.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using test::at_each_allocation;
using test::SmallRun;
using test::Where;

class CheckpointsOutOfMemory : public testing::Test {
 protected:
  TemporaryFolder folder_{TemporaryFolder::where_syncs_are_fast()};

  void save(std::int64_t step) {
    SmallRun run(step);
    CheckpointFolder(disk(), folder_.path()).save(run.state(), run.info());
  }
  std::int64_t newest() {
    SmallRun run;
    const auto checkpoint = CheckpointFolder(disk(), folder_.path()).newest_intact();
    if (!checkpoint) return -1;
    checkpoint->load(run.state());
    EXPECT_EQ(run, SmallRun(run.step));
    return run.step;
  }
};

TEST_F(CheckpointsOutOfMemory, AManifestIsReadOrNot) {
  const Manifest manifest{SmallRun(1).info(),
                          {{"a.safetensors", 1, {5, 6}, {7}}},
                          {{"w", DType::f32, {4, 3}, {{0, {{0, 0}, {2, 3}}}, {0, {{2, 0}, {2, 3}}}}}}};
  const auto text = manifest.text();
  at_each_allocation(Where::in_a_child, [&](const auto& failing) {
    failing([&] { PEERLESS_CHECK(Manifest::parse(text, "MANIFEST.json") == manifest); });
  });
}

TEST_F(CheckpointsOutOfMemory, AHeaderIsReadOrNot) {
  const auto file = folder_ / "a.safetensors";
  const auto header = safetensors::lay_out({{"w", DType::f32, {2}}, {"b", DType::u8, {}}}, {{"format", "pt"}});
  write_atomically(disk(), file, safetensors::encode(header) + std::string(9, '\0'));
  at_each_allocation(Where::in_a_child, [&](const auto& failing) {
    failing([&] { PEERLESS_CHECK(safetensors::read_header(*disk().open(file), file).tensors == header.tensors); });
  });
}

TEST_F(CheckpointsOutOfMemory, ASaveLeavesTheOldOneOrTheNew) {
  save(1);
  at_each_allocation(Where::in_a_child, [&](const auto& failing) {
    const bool durable = failing([&] { save(2); });
    EXPECT_GE(newest(), durable ? 2 : 1);
    remove_tree(disk(), folder_ / step_name(2));
  });
}

TEST_F(CheckpointsOutOfMemory, ALoadGivesAllOrFails) {
  save(1);
  at_each_allocation(Where::in_a_child, [&](const auto& failing) {
    SmallRun run;
    const auto state = run.state();
    failing([&] {
      CheckpointFolder(disk(), folder_.path()).newest_intact()->load(state);
      PEERLESS_CHECK(run == SmallRun(1));
    });
  });
  EXPECT_EQ(newest(), 1);
}

}  // namespace
}  // namespace peerless
