#include "peerless/base/hash.h"

#include <gtest/gtest.h>

#include "peerless/base/error.h"

namespace peerless {
namespace {

// The values that `xxhsum -H2` and `xxhsum -H3` print.
TEST(Digest, IsXxh3) {
  EXPECT_EQ(digest("").hex(), "99aa06d3014798d86001c324468d497f");
  EXPECT_EQ(digest("abc").hex(), "06b05ab6733a618578af5f94892f3950");
  EXPECT_EQ(checksum("abc"), 0x78af5f94892f3950u);
}

TEST(Digest, OfPiecesIsTheDigestOfTheWhole) {
  std::string text;
  for (int i = 0; i < 1000; ++i) text += concat(i, ' ');
  for (const std::size_t cut : {std::size_t{0}, std::size_t{1}, std::size_t{240}, std::size_t{1024}, text.size()}) {
    Hasher hasher;
    hasher.update(text.substr(0, cut));
    hasher.digest();
    hasher.update(text.substr(cut));
    EXPECT_EQ(hasher.digest(), digest(text));
  }
}

TEST(Hex16, ReadsItsOwnText) {
  for (const std::uint64_t value : {std::uint64_t{0}, std::uint64_t{0x0123456789abcdef}, ~std::uint64_t{0}})
    EXPECT_EQ(parse_hex16(hex16(value)), value);
  EXPECT_EQ(hex16(0x0123456789abcdef), "0123456789abcdef");
  EXPECT_EQ(hex16(1), "0000000000000001");
  EXPECT_EQ(parse_hex16("0123456789ABCDEF"), 0x0123456789abcdefu);
}

TEST(Hex16, RefusesAllButSixteenDigits) {
  for (const char* const text : {"", "1", "0123456789abcde", "0123456789abcdef0", "0123456789abcdeg",
                                 " 123456789abcdef", "-123456789abcdef", "+123456789abcdef", "0x23456789abcdef"})
    EXPECT_EQ(parse_hex16(text), std::nullopt) << text;
}

TEST(Digest, ReadsItsOwnText) {
  const Digest some{0x0123456789abcdef, 0xfedcba9876543210};
  EXPECT_EQ(some.hex(), "0123456789abcdeffedcba9876543210");
  EXPECT_EQ(Digest::parse(some.hex(), "id"), some);
}

TEST(Digest, RefusesWhatIsNoDigest) {
  const auto message = [](std::string_view text) -> std::string {
    try {
      Digest::parse(text, "id");
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      return error.what();
    }
    return "";
  };
  EXPECT_EQ(message("12"), "id: a digest has 32 hexadecimal digits, got \"12\"");
  EXPECT_EQ(message("0123456789abcdeffedcba98765432-1"),
            "id: a digest has 32 hexadecimal digits, got \"0123456789abcdeffedcba98765432-1\"");
  EXPECT_NE(message("-123456789abcdeffedcba9876543210"), "");
  EXPECT_NE(message(" 123456789abcdeffedcba9876543210"), "");
}

}  // namespace
}  // namespace peerless
