#include "peerless/train/staging.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <fstream>
#include <map>
#include <mutex>

#include "peerless/base/text.h"
#include "peerless/train/machine.h"
#include "tests/support/local_group.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

// Of four processes: whole tensors, which all have; slices of tables, which those two ranks apart both have; slices of
// a moment, each of one process alone.
NamedTensors tensors_of(const Communicator& communicator) {
  const std::int64_t rank = communicator.rank();
  NamedTensors tensors;
  for (const std::int64_t size : {100, 7, 60, 60, 0, 45, 30, 30, 12, 8})
    tensors.push_back({concat("whole", tensors.size()), at::zeros({size})});
  for (const char* const table : {"values", "keys"})
    tensors.push_back({table, at::zeros({6, 2}), NamedTensor::Slice{{6, 4}, {0, 2 * (rank % 2)}, 2}});
  tensors.push_back({"moment", at::zeros({5}), NamedTensor::Slice{{20}, {5 * rank}}});
  return tensors;
}

TEST(PartToSave, EveryElementIsWrittenOnceByLoadsThatAreEven) {
  std::mutex mutex;                         // of what follows
  std::map<std::string, at::Tensor> times;  // each element was written
  std::vector<std::int64_t> loads;
  test::in_group(4, [&](Communicator& communicator) {
    const std::lock_guard lock(mutex);
    loads.push_back(0);
    for (const auto& [name, tensor, slice] : part_to_save(tensors_of(communicator), communicator)) {
      auto& whole = times.try_emplace(name, at::zeros(slice ? slice->shape : tensor.sizes())).first->second;
      auto part = whole;
      for (std::int64_t dim = 0; slice && dim < whole.dim(); ++dim)
        part = part.narrow(dim, slice->offset[static_cast<std::size_t>(dim)], tensor.size(dim));
      part += 1;
      loads.back() += tensor.numel();
    }
  });
  EXPECT_EQ(times.size(), 13u);
  for (const auto& [name, tensor] : times) EXPECT_TRUE(at::equal(tensor, at::ones_like(tensor))) << name;
  for (const auto load : loads) EXPECT_LE(load, 120);
}

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

TEST(Staging, HoldsWhatThereIsMemoryFor) {
  const NamedTensors small{{"small", at::zeros({1000})}}, huge{{"huge", at::zeros({1}).expand({1L << 48})}};
  EXPECT_TRUE(Staging().can_hold(small, 1));
  EXPECT_FALSE(Staging().can_hold(huge, 1));
  EXPECT_FALSE(Staging().can_hold(small, 1L << 40)) << "each process of the host needs as much";
  Staging staging;
  staging.copy(small);
  EXPECT_TRUE(staging.can_hold(small, 1L << 40)) << "it has its memory already";
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
