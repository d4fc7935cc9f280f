#include <gtest/gtest.h>

#include <array>

#include "peerless/base/random.h"
#include "peerless/checkpoint/save.h"
#include "tests/support/complaint.h"

namespace peerless {
namespace {

using test::complaint;

const SavedPart kPart = {
    {"state-00001-of-00002.safetensors", 1u << 21, {1, 2}, {0, ~std::uint64_t{0}}},
    {{"weight", DType::bf16, {4, 3}, {{0, {{2, 0}, {2, 3}}}}}, {"\n\"\0\u20ac", DType::i64, {}, {{0, {{}, {}}}}}}};

TEST(SavedPart, IsTheSameForProcess0) {
  const auto told = to_part(to_text(kPart), 1);
  EXPECT_EQ(told.file, kPart.file);
  EXPECT_EQ(told.tensors, kPart.tensors);
}

TEST(SavedPart, SaysWhichProcessToldWhat) {
  const auto told = [](std::string_view text) { return complaint(ExitCode::peer, [&] { to_part(text, 3); }); };
  const std::string begin = "process 3 says of its part of the checkpoint what none writes: ";
  const std::string digest = "\"0123456789abcdef0123456789abcdef\"", file = "[\"a\", 1, " + digest + ", [7], ";
  ASSERT_EQ(told(file + "[]]"), "");
  EXPECT_EQ(told("{}"), begin + "expected a file's name, size, digest and checksums, and the tensors in it");
  EXPECT_EQ(told("[1, 1, " + digest + ", [], []]"), begin + "expected the name of a file");
  EXPECT_EQ(told("[\"a\", 1e3, " + digest + ", [], []]"), begin + "expected the size of a file");
  EXPECT_EQ(told("[\"a\", 1, \"x\", [], []]"), begin + "the file: a digest has 32 hexadecimal digits, got \"x\"");
  EXPECT_EQ(told("[\"a\", 1, " + digest + ", [-1], []]"), begin + "expected a checksum");
  EXPECT_EQ(told(file + "{}]"), begin + "expected a list of tensors");
  EXPECT_EQ(told(file + "[7]]"), begin + "expected a tensor's name, dtype, shape, offset and extent");
  EXPECT_EQ(told(file + "[[\"t\", \"F32\", [1.5], [0], [1]]]]"), begin + "expected a shape");
  EXPECT_EQ(told(file + "[[\"t\", \"F32\", [1], [-1], [1]]]]"), begin + "expected an offset");
  EXPECT_TRUE(told(file + "[[\"t\", \"F33\", [1], [0], [1]]]]").starts_with(begin + "unknown element type"));
  EXPECT_TRUE(told("[").starts_with(begin + "its text: invalid JSON"));
}

// Whatever becomes of the bytes on their way, an Error comes out or a part.
TEST(SavedPart, WithAnyByteChangedLetsNothingElseOut) {
  const RandomStream random(1, 2);
  const auto text = to_text(kPart);
  for (std::size_t at = 0; at < text.size(); ++at) {
    auto changed = text;
    changed[at] = static_cast<char>(random.below(256, at));
    complaint(ExitCode::peer, [&] { to_part(changed, 1); });
    complaint(ExitCode::peer, [&] { to_part(std::string_view(text).substr(0, at), 1); });
  }
}

}  // namespace
}  // namespace peerless
