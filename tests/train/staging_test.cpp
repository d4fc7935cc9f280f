#include "peerless/train/staging.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>

#include "peerless/train/machine.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

TEST(Staging, TheCopyStaysAsItWas) {
  const auto odd = at::arange(7, at::kFloat), wide = at::rand({3, 5}, at::kDouble),
             none = at::empty({0, 4}, at::kFloat), count = at::scalar_tensor(12, at::kLong);
  const NamedTensors tensors{{"odd", odd}, {"wide", wide}, {"none", none}, {"count", count}};
  const auto before =
      to_state({{"odd", odd.clone()}, {"wide", wide.clone()}, {"none", none}, {"count", count.clone()}});
  Staging staging;
  const auto copy = staging.copy(tensors);
  const auto* const memory = copy.entries()[0].bytes.data();
  odd.fill_(-1), wide.fill_(-1), count.fill_(-1);
  for (std::size_t i = 0; i < tensors.size(); ++i) {
    const auto &was = before.entries()[i], &is = copy.entries()[i];
    EXPECT_EQ(is.name, was.name);
    EXPECT_EQ(is.shape, was.shape);
    EXPECT_TRUE(std::ranges::equal(is.bytes, was.bytes)) << is.name;
  }
  const auto again = staging.copy(tensors);
  EXPECT_EQ(again.entries()[0].bytes.data(), memory);  // no memory but the first
  EXPECT_EQ(*reinterpret_cast<const float*>(memory), -1.0F);
}

TEST(Staging, ASliceStaysOne) {
  const auto part = at::ones({2, 3});
  Staging staging;
  const auto copy = staging.copy({{"table", part, NamedTensor::Slice{.shape = {6, 3}, .offset = {2, 0}}}});
  EXPECT_EQ(copy.entries()[0].shape, (std::vector<std::int64_t>{6, 3}));
  EXPECT_EQ(copy.entries()[0].offset, (std::vector<std::int64_t>{2, 0}));
  EXPECT_EQ(copy.entries()[0].extent, (std::vector<std::int64_t>{2, 3}));
}

// ---- memory that is there for it

class AvailableMemory : public testing::Test {
 protected:
  void write(const std::string& file, const std::string& text) {
    const auto path = root_ / file;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path) << text;
  }
  std::optional<std::int64_t> available() { return available_memory(root_.path()); }
  TemporaryFolder root_;
};

TEST_F(AvailableMemory, IsWhatTheKernelSays) {
  EXPECT_EQ(available(), std::nullopt);
  write("proc/meminfo", "MemTotal:       24000000 kB\nMemFree:  1 kB\nMemAvailable:   1000 kB\n");
  EXPECT_EQ(available(), 1024000);
}

TEST_F(AvailableMemory, IsLimitedByEveryControlGroupAbove) {
  write("proc/meminfo", "MemAvailable:   1000 kB\n");
  write("proc/self/cgroup", "1:cpu:/elsewhere\n0::/job/step\n");
  write("sys/fs/cgroup/job/step/memory.max", "max\n");
  write("sys/fs/cgroup/job/step/memory.current", "300\n");
  EXPECT_EQ(available(), 1024000);
  write("sys/fs/cgroup/job/memory.max", "5000\n");
  write("sys/fs/cgroup/job/memory.current", "4000\n");
  EXPECT_EQ(available(), 1000);
  write("sys/fs/cgroup/job/memory.stat", "anon 7\nfile 20\ninactive_file 15\n");
  EXPECT_EQ(available(), 1015);
  write("sys/fs/cgroup/memory.max", "900\n");
  write("sys/fs/cgroup/memory.current", "1\n");
  EXPECT_EQ(available(), 899);
}

TEST_F(AvailableMemory, HereIsSome) { EXPECT_GT(available_memory().value_or(0), 1 << 20); }

}  // namespace
}  // namespace peerless
