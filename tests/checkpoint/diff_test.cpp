#include "peerless/checkpoint/diff.h"

#include <gtest/gtest.h>

#include <bit>
#include <limits>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "tests/checkpoint/small_state.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using test::SmallRun;

class DiffTest : public testing::Test {
 protected:
  Checkpoint saved(const State& state, const CheckpointInfo& info) {
    CheckpointFolder folder(files, concat("/", ++count));
    folder.save(state, info);
    return folder.open(info.step);
  }

  // The difference between the run of step 40 as it is and as `change(run, info)` made it.
  template <class Change>
  std::vector<std::string> after(const Change& change) {
    SmallRun plain(40), changed(40);
    auto info = changed.info();
    change(changed, info);
    return diff(saved(plain.state(), plain.info()), saved(changed.state(), info), {"run", "train.stop_at"});
  }

  using Lines = std::vector<std::string>;
  MemoryFiles files;
  int count = 0;
};

TEST_F(DiffTest, TheSameStateIsIdentical) {
  EXPECT_EQ(after([](auto&, auto&) {}), Lines{});
  EXPECT_EQ(after([](auto&, auto& info) { info.run = "r2", info.program = "0.2.0"; }), Lines{});
}

TEST_F(DiffTest, OneBitOfATensorIsADifferenceWithItsSize) {
  EXPECT_EQ(after([](auto& run, auto&) { run.weight[3] += 0.25f, run.weight[5] -= 0.5f; }),
            Lines{"tensor weight: 2 of 12 elements differ, by at most 0.5"});
  EXPECT_EQ(after([](auto& run, auto&) { run.moment[1] = -1e-300; }),
            Lines{"tensor moment: 1 of 2 elements differ, by at most 2e-300"});
  EXPECT_EQ(after([](auto& run, auto&) { run.flags[0] = 4; }),
            Lines{"tensor flags: 1 of 3 elements differ, by at most 3"});
}

TEST_F(DiffTest, ZerosOfOtherSignAndNotANumberAreDifferentBits) {
  EXPECT_EQ(after([](auto& run, auto&) { run.weight[0] = std::numeric_limits<float>::quiet_NaN(); }),
            Lines{"tensor weight: 1 of 12 elements differ, by at most 0, and by NaN"});
  SmallRun a(0), b(0);
  b.weight[0] = -0.0f;
  EXPECT_EQ(diff(saved(a.state(), a.info()), saved(b.state(), b.info()), {}),
            Lines{"tensor weight: 1 of 12 elements differ, by at most 0"});
}

TEST_F(DiffTest, CountersShowBothValues) {
  EXPECT_EQ(after([](auto& run, auto&) { run.step = 39; }), Lines{"tensor step: 40 and 39"});
}

TEST_F(DiffTest, StepTokenizerAndDataCount) {
  EXPECT_EQ(
      after([](auto&, auto& info) {
        info.step = 39;
        info.tokenizer = {1, 3};
        info.data = {3, 5};
      }),
      (Lines{"step: 40 and 39", "tokenizer: 00000000000000010000000000000002 and 00000000000000010000000000000003",
             "data: 00000000000000030000000000000004 and 00000000000000030000000000000005"}));
}

TEST_F(DiffTest, ConfigKeysCountUnlessTheyAreIgnored) {
  EXPECT_EQ(
      after([](auto&, auto& info) { info.config = "run: {name: b, dir: x}\ntrain: {max_steps: 40, stop_at: 3}\n"; }),
      Lines{});
  EXPECT_EQ(after([](auto&, auto& info) { info.config = "run: {name: a}\nrunner: 1\ntrain: {max_steps: 41}\n"; }),
            (Lines{"config.runner: not set and 1", "config.train.max_steps: 40 and 41"}));
  EXPECT_EQ(after([](auto&, auto& info) { info.config = "train: {max_steps: 40}\ndata: [{path: x}]\n"; }),
            Lines{"config.data.0.path: not set and x"});
}

TEST_F(DiffTest, TensorsOfOneSideAndOfOtherKindsAreNamed) {
  SmallRun run(40);
  State a, b;
  a.add("step", run.step);
  a.add("weight", DType::f32, {4, 3}, std::as_writable_bytes(std::span(run.weight)));
  b.add("weight", DType::f32, {12}, std::as_writable_bytes(std::span(run.weight)));
  b.add("moment", DType::f64, {2}, std::as_writable_bytes(std::span(run.moment)));
  EXPECT_EQ(diff(saved(a, run.info()), saved(b, run.info()), {}),
            (Lines{"tensor step: only in the first", "tensor weight: F32 [4, 3] and F32 [12]",
                   "tensor moment: only in the second"}));
}

TEST_F(DiffTest, HalfPrecisionIsReadAsNumbers) {
  const auto between = [&](DType dtype, std::uint16_t x, std::uint16_t y) {
    std::array<std::uint16_t, 2> a = {0, x}, b = {0, y};
    State first, second;
    first.add("t", dtype, {2}, std::as_writable_bytes(std::span(a)));
    second.add("t", dtype, {2}, std::as_writable_bytes(std::span(b)));
    const auto lines = diff(saved(first, SmallRun(1).info()), saved(second, SmallRun(1).info()), {});
    return lines.empty() ? "identical" : lines[0];
  };
  EXPECT_EQ(between(DType::f16, 0x3c00, 0xc000), "tensor t: 1 of 2 elements differ, by at most 3");  // 1 and -2
  EXPECT_EQ(between(DType::f16, 0x0001, 0x0000), "tensor t: 1 of 2 elements differ, by at most 5.960464477539063e-08");
  EXPECT_EQ(between(DType::f16, 0x7c00, 0x3c00), "tensor t: 1 of 2 elements differ, by at most inf");
  EXPECT_EQ(between(DType::bf16, 0x3f80, 0x4000), "tensor t: 1 of 2 elements differ, by at most 1");  // 1 and 2
}

// Rows of 3 MB: read in pieces, and from files that are cut otherwise.
TEST_F(DiffTest, LargeTensorsOfOtherCutsAreComparedInPieces) {
  std::vector<float> table(3 * 750'000);
  for (std::size_t i = 0; i < table.size(); ++i) table[i] = static_cast<float>(i);
  const auto bytes = std::as_writable_bytes(std::span(table));
  const auto info = SmallRun(1).info();
  State whole;
  whole.add("table", DType::f32, {3, 750'000}, bytes);
  const auto a = saved(whole, info);

  table[2'000'000] += 64;
  Save save(files, "/b", info);
  save.begin(0);
  std::vector<SavedPart> parts;
  for (int part = 0; part < 2; ++part) {
    State rows;
    const std::int64_t first = part == 0 ? 0 : 1, count_rows = part == 0 ? 1 : 2;
    rows.add(
        {"table",
         DType::f32,
         {3, 750'000},
         {first, 0},
         {count_rows, 750'000},
         bytes.subspan(static_cast<std::size_t>(first) * 3'000'000, static_cast<std::size_t>(count_rows) * 3'000'000),
         nullptr});
    parts.push_back(write_part(files, save.temporary(), rows, part, 2));
  }
  save.commit(parts);
  EXPECT_EQ(diff(a, CheckpointFolder(files, "/b").open(1), {}),
            Lines{"tensor table: 1 of 2250000 elements differ, by at most 64"});
}

}  // namespace
}  // namespace peerless
