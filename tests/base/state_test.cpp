#include "peerless/base/state.h"

#include <gtest/gtest.h>

#include <array>

#include "peerless/base/error.h"

namespace peerless {
namespace {

std::span<std::byte> bytes_of(auto& values) { return std::as_writable_bytes(std::span(values)); }

TEST(DType, NamesReadBack) {
  for (const auto dtype : {DType::f64, DType::f32, DType::f16, DType::bf16, DType::i64, DType::i32, DType::i16,
                           DType::i8, DType::u8, DType::boolean}) {
    EXPECT_EQ(parse_dtype(name_of(dtype)), dtype);
  }
  EXPECT_EQ(name_of(DType::bf16), "BF16");
  EXPECT_EQ(size_of(DType::bf16), 2u);
  EXPECT_EQ(size_of(DType::boolean), 1u);
}

TEST(DType, OfAnUnknownNameIsRefused) {
  try {
    parse_dtype("F4");
    FAIL() << "nothing was thrown";
  } catch (const Error& error) {
    EXPECT_STREQ(error.what(), "unknown element type \"F4\"");
    EXPECT_EQ(error.code(), ExitCode::data);
  }
}

TEST(State, KeepsTheOrderAndFindsByName) {
  std::array<float, 6> weights{};
  std::int64_t step = 7;
  State state;
  state.add("weights", DType::f32, {2, 3}, bytes_of(weights));
  state.add("step", step);

  ASSERT_EQ(state.entries().size(), 2u);
  EXPECT_EQ(state.entries()[0].name, "weights");
  EXPECT_TRUE(state.entries()[0].whole());
  EXPECT_EQ(state.find("step"), &state.entries()[1]);
  EXPECT_EQ(state.find("missing"), nullptr);
  EXPECT_EQ(state.size_bytes(), 32u);
}

TEST(State, ViewsWhatItWasGiven) {
  std::int64_t step = 7;
  State state;
  state.add("step", step);
  state.find("step")->bytes[0] = std::byte{9};
  EXPECT_EQ(step, 9);
}

TEST(State, OfAnotherIsTakenOver) {
  std::int64_t a = 1, b = 2;
  State state, other;
  state.add("a", a);
  other.add("b", b);
  state.add(std::move(other));
  EXPECT_NE(state.find("b"), nullptr);
}

TEST(State, RefusesANameTwiceAndViewsThatDoNotFit) {
  std::array<float, 6> weights{};
  State state;
  state.add("weights", DType::f32, {2, 3}, bytes_of(weights));
  EXPECT_THROW(state.add("weights", DType::f32, {6}, bytes_of(weights)), BrokenInvariant);
  EXPECT_THROW(state.add("five", DType::f32, {5}, bytes_of(weights)), BrokenInvariant);
  EXPECT_THROW(state.add("half", DType::f16, {6}, bytes_of(weights)), BrokenInvariant);
  EXPECT_EQ(state.entries().size(), 1u);
}

TEST(State, TakesASliceOnlyInsideItsShape) {
  std::array<float, 6> rows{};
  const auto slice = [&](std::int64_t offset) {
    return StateEntry{"table", DType::f32, {10, 3}, {offset, 0}, {2, 3}, bytes_of(rows), nullptr};
  };
  State state;
  EXPECT_THROW(state.add(slice(9)), BrokenInvariant);
  EXPECT_THROW(state.add(slice(-1)), BrokenInvariant);
  state.add(slice(8));
  EXPECT_FALSE(state.entries()[0].whole());
}

}  // namespace
}  // namespace peerless
