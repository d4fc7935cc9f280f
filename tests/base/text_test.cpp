#include "peerless/base/text.h"

#include <gtest/gtest.h>

#include <array>
#include <clocale>
#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <limits>
#include <locale>
#include <sstream>

#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

TEST(Concat, WritesEveryKindOfValue) {
  const std::string text = "text";
  EXPECT_EQ(concat("n = ", 3, ' ', true, ' ', text, ' ', std::string_view("view"), ' ', std::filesystem::path("a/b")),
            "n = 3 true text view a/b");
  EXPECT_EQ(concat(std::numeric_limits<std::int64_t>::min(), ' ', std::uint64_t{18446744073709551615u}),
            "-9223372036854775808 18446744073709551615");
  EXPECT_EQ(concat(), "");
}

// Numbers as in much of Europe: 1.234,5. For streams a facet; for printf and strtod a file as glibc has it, so that no
// locale need be installed.
class Comma : public std::numpunct<char> {
  char do_decimal_point() const override { return ','; }
  char do_thousands_sep() const override { return '.'; }
  std::string do_grouping() const override { return "\3"; }
};

void write_comma_locale(const std::filesystem::path& folder) {
  std::filesystem::create_directories(folder);
  constexpr std::array<std::uint32_t, 8> kHeader{0x20031115 ^ LC_NUMERIC, 6, 32, 34, 36, 40, 44, 48};
  constexpr std::string_view kStrings(",\0.\0\3\3\0\0,\0\0\0.\0\0\0UTF-8\0", 22);
  std::ofstream file(folder / "LC_NUMERIC", std::ios::binary);
  file.write(reinterpret_cast<const char*>(kHeader.data()), sizeof kHeader) << kStrings;
}

TEST(Concat, WritesNumbersWithAPointInEveryLocale) {
  const TemporaryFolder folder;
  write_comma_locale(folder / "comma");
  setenv("LOCPATH", folder.path().c_str(), 1);
  ASSERT_NE(std::setlocale(LC_NUMERIC, "comma"), nullptr);
  const auto before = std::locale::global(std::locale(std::locale(), new Comma));
  EXPECT_EQ((std::ostringstream() << 1234.5).str() + " " + std::to_string(0.5), "1.234,5 0,500000") << "is a locale";
  EXPECT_EQ(concat(1234.5, " ", 0.25f, " ", 1234), "1234.5 0.25 1234");
  EXPECT_EQ(human_bytes(1.5e6), "1.5 MB");
  std::locale::global(before);
  std::setlocale(LC_NUMERIC, "C");
  unsetenv("LOCPATH");
}

TEST(Shortest, ReadsBackAsTheSameNumber) {
  EXPECT_EQ(shortest(0.001), "0.001");
  EXPECT_EQ(shortest(1e-8), "1e-08");
  EXPECT_EQ(shortest(0.1f), "0.1");
  EXPECT_EQ(shortest(3.0), "3");
  EXPECT_EQ(shortest(std::numeric_limits<double>::infinity()), "inf");
  for (const double value : {1.0 / 3, 5e-324, 1.7976931348623157e308}) {
    EXPECT_EQ(std::strtod(shortest(value).c_str(), nullptr), value);
  }
}

TEST(HumanBytes, KeepsOneDecimalAndTheRightUnit) {
  EXPECT_EQ(human_bytes(0), "0 B");
  EXPECT_EQ(human_bytes(999), "999 B");
  EXPECT_EQ(human_bytes(1000), "1.0 kB");
  EXPECT_EQ(human_bytes(3.2e6), "3.2 MB");
  EXPECT_EQ(human_bytes(999'990), "1.0 MB");
  EXPECT_EQ(human_bytes(5e18), "5000.0 PB");
  EXPECT_EQ(human_bytes(3e30), "3e+15 PB");
  EXPECT_EQ(human_bytes(std::numeric_limits<double>::infinity()), "inf PB");
  EXPECT_EQ(human(1.5e12, "FLOP/s"), "1.5 TFLOP/s");
}

TEST(ZeroPadded, KeepsTheOrderOfNumbersAndEveryDigit) {
  EXPECT_EQ(zero_padded(7, 5), "00007");
  EXPECT_EQ(zero_padded(123456, 5), "123456");
}

TEST(Split, AndJoinUndoEachOther) {
  EXPECT_EQ(split("", ','), std::vector<std::string>{""});
  EXPECT_EQ(split("a,,b,", ','), (std::vector<std::string>{"a", "", "b", ""}));
  EXPECT_EQ(join(split("a,,b,", ','), ","), "a,,b,");
  EXPECT_EQ(join({}, ","), "");
}

TEST(Nearest, CountsLettersAddedDroppedChangedAndSwapped) {
  const std::vector<std::string> keys = {"max_steps", "num_keys", "top_k"};
  EXPECT_EQ(nearest("max_stepz", keys), "max_steps");
  EXPECT_EQ(nearest("num_kyes", keys), "num_keys");
  EXPECT_EQ(nearest("topk", keys), "top_k");
  EXPECT_EQ(nearest("ab", {"ba", "xb"}), "ba");  // one edit each: the first of equals
  EXPECT_EQ(nearest("ca", {"abc", "c"}), "c");
  EXPECT_EQ(nearest("top_k", {}), "");
}

TEST(Nearest, IsNothingWhereItWouldBeAGuess) {
  EXPECT_EQ(nearest("abcdef", {"abcdxyz"}), "");
  EXPECT_EQ(nearest("abcdef", {"abcdxy"}), "abcdxy") << "2 edits";
  EXPECT_EQ(nearest("abcdefghi", {"abcdefxyz"}), "abcdefxyz") << "3 edits of 9 letters";
  EXPECT_EQ(nearest("abcdefghi", {"abcdexxyz"}), "");
  EXPECT_EQ(nearest("lr", {"at", "x"}), "");
  EXPECT_EQ(nearest("", {"at", ""}), "");
}

TEST(Printable, KeepsOneMessageOnOneLine) {
  EXPECT_EQ(printable("a\nb\t\x7f\x1b[0m"), "a\\x0ab\\x09\\x7f\\x1b[0m");
  EXPECT_EQ(printable("größe"), "größe");
  EXPECT_EQ(printable(std::string_view("\0", 1)), "\\x00");
}

TEST(Printable, LeavesNothingThatATerminalObeysOrUtf8Forbids) {
  EXPECT_EQ(printable("\u009b2J \u0085 \u00a0"), "\\xc2\\x9b2J \\xc2\\x85 \u00a0");
  EXPECT_EQ(printable("caf\xe9 \x9b \xf0\x9f"), "caf\\xe9 \\x9b \\xf0\\x9f");
}

TEST(Excerpt, IsShortAndPrintable) {
  EXPECT_EQ(excerpt("a\nb"), "a\\x0ab");
  EXPECT_EQ(excerpt(std::string(61, 'x')), std::string(60, 'x') + "...");
  EXPECT_EQ(excerpt(std::string(59, 'x') + "é"), std::string(59, 'x') + "...") << "no half character";
  EXPECT_EQ(excerpt("abcdef", 5), "abcde...");
}

}  // namespace
}  // namespace peerless
