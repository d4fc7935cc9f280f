#include "peerless/base/utf8.h"

#include <gtest/gtest.h>

#include <string>

namespace peerless {
namespace {

std::string encoded(unsigned code) {
  const auto tail = [&](int shift) { return static_cast<char>(0x80 | (code >> shift & 63)); };
  if (code < 0x80) return {static_cast<char>(code)};
  if (code < 0x800) return {static_cast<char>(0xC0 | code >> 6), tail(0)};
  if (code < 0x10000) return {static_cast<char>(0xE0 | code >> 12), tail(6), tail(0)};
  return {static_cast<char>(0xF0 | code >> 18), tail(12), tail(6), tail(0)};
}

TEST(Utf8, AcceptsEveryCharacterOfUnicodeAndNoSurrogate) {
  for (unsigned code = 0; code < 0x110200; ++code) {
    const auto character = encoded(code);
    const bool valid = (code < 0xD800 || code > 0xDFFF) && code < 0x110000;
    ASSERT_EQ(utf8_length(character), valid ? character.size() : 0) << code;
    ASSERT_EQ(find_invalid_utf8("ab" + character + "c"), valid ? std::string_view::npos : 2) << code;
  }
}

TEST(Utf8, FindsTheFirstInvalidByte) {
  EXPECT_EQ(find_invalid_utf8("twelve bytes\xff and more"), 12u);
  EXPECT_EQ(find_invalid_utf8("é\xc3"), 2u) << "cut off at the end";
  EXPECT_EQ(find_invalid_utf8("\x80"), 0u) << "a continuation alone";
  EXPECT_EQ(find_invalid_utf8("a\xc0\xaf"), 1u) << "an overlong slash";
  EXPECT_EQ(find_invalid_utf8("\xe0\x9f\xbf"), 0u) << "overlong";
  EXPECT_EQ(find_invalid_utf8("\xed\xa0\x80"), 0u) << "a surrogate";
  EXPECT_EQ(find_invalid_utf8("\xf4\x90\x80\x80"), 0u) << "above U+10FFFF";
  EXPECT_EQ(find_invalid_utf8("\xf0\x8f\xbf\xbf"), 0u) << "overlong";
}

TEST(Utf8, AgreesWithTheDefinitionForEveryTwoAndThreeByteSequence) {
  for (unsigned first = 0; first < 256; ++first) {
    for (unsigned second = 0; second < 256; ++second) {
      const std::string two = {static_cast<char>(first), static_cast<char>(second)};
      const bool ascii = first < 0x80 && second < 0x80;
      const bool pair = first >= 0xC2 && first < 0xE0 && second >= 0x80 && second < 0xC0;
      EXPECT_EQ(find_invalid_utf8(two) == std::string_view::npos, ascii || pair) << first << " " << second;

      if (first < 0xE0 || first > 0xEF || second < 0x80 || second > 0xBF) continue;
      const unsigned code = (first & 15) << 12 | (second & 63) << 6;
      const bool valid = code >= 0x800 && (code < 0xD800 || code > 0xDFFF);
      EXPECT_EQ(utf8_length(two + "\x80"), valid ? 3u : 0u) << first << " " << second;
    }
  }
}

TEST(Utf8, APrefixCutsNoCharacterInTwo) {
  EXPECT_EQ(utf8_prefix("abcdefg", 5), "abcde");
  EXPECT_EQ(utf8_prefix("abc", 5), "abc");
  EXPECT_EQ(utf8_prefix("abcé", 4), "abc");
  EXPECT_EQ(utf8_prefix("abé👍", 4), "abé");
  EXPECT_EQ(utf8_prefix("abé👍", 7), "abé");
  EXPECT_EQ(utf8_prefix("abé👍", 8), "abé👍");
  EXPECT_EQ(utf8_prefix("a\x80\x80\x80\x80\x80\x80", 5), "a\x80\x80\x80\x80") << "stray bytes are no character";
}

}  // namespace
}  // namespace peerless
