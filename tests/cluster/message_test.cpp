#include "peerless/cluster/message.h"

#include <gtest/gtest.h>

#include "peerless/base/error.h"

namespace peerless::cluster {
namespace {

using Kind = Message::Kind;
using State = Decoded::State;

Message example() {
  return {.kind = Kind::compare_set,
          .id = 0xfedcba9876543210,
          .rank = 7,
          .number = -2,
          .texts = {"key", "", std::string("a\0\xff", 3)}};
}

std::string with_length(std::string bytes, std::uint32_t length) {
  for (std::size_t i = 0; i < 4; ++i) bytes[i] = static_cast<char>(length >> (8 * i));
  return bytes;
}

TEST(CoordinatorMessage, BytesAreAsTheHeaderSaysThem) {
  EXPECT_EQ(encode({.kind = Kind::report, .id = 1, .rank = 2, .number = -1, .texts = {"why"}}),
            std::string("\x20\0\0\0"
                        "\x08"
                        "\1\0\0\0\0\0\0\0"
                        "\2\0\0\0\0\0\0\0"
                        "\xff\xff\xff\xff\xff\xff\xff\xff"
                        "\3\0\0\0why",
                        36));
}

TEST(CoordinatorMessage, ComesBackAsItWas) {
  const auto bytes = encode(example());
  const auto decoded = decode(bytes + "the next one", kMaxMessage);
  EXPECT_EQ(decoded.state, State::whole);
  EXPECT_EQ(decoded.message, example());
  EXPECT_EQ(decoded.bytes, bytes.size());
}

TEST(CoordinatorMessage, OneCutShortIsPartial) {
  const auto bytes = encode(example());
  for (std::size_t size = 0; size < bytes.size(); ++size) {
    EXPECT_EQ(decode(bytes.substr(0, size), kMaxMessage).state, State::partial) << size;
  }
}

// Every copy of one byte's length: a sanitizer sees each read beyond it.
TEST(CoordinatorMessage, OneThatEndsWithinATextIsInvalid) {
  const auto bytes = encode(example());
  constexpr std::size_t kHeader = 4 + 25;
  for (std::size_t size = 4; size < bytes.size(); ++size) {
    const std::string cut = with_length(bytes.substr(0, size), static_cast<std::uint32_t>(size - 4));
    const std::vector<char> exact(cut.begin(), cut.end());
    const auto decoded = decode({exact.data(), exact.size()}, kMaxMessage);
    EXPECT_EQ(decoded.state, State::invalid) << size << " of " << bytes.size() << ", header " << kHeader;
  }
}

// Whatever is accepted is what encode() makes: there is no second spelling.
TEST(CoordinatorMessage, AFlippedBitNeverDoesHarm) {
  const auto bytes = encode(example());
  int whole = 0;
  for (std::size_t bit = 0; bit < 8 * bytes.size(); ++bit) {
    std::vector<char> flipped(bytes.begin(), bytes.end());
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << (bit % 8)));
    const std::string_view view(flipped.data(), flipped.size());
    const auto decoded = decode(view, kMaxMessage);
    if (decoded.state != State::whole) continue;
    ++whole;
    EXPECT_EQ(encode(decoded.message), view.substr(0, decoded.bytes)) << bit;
    EXPECT_NE(decoded.message, example()) << bit;
  }
  EXPECT_GT(whole, 8 * 24);  // ids, numbers, ranks and texts
}

TEST(CoordinatorMessage, LengthsAreBoundedBeforeAnythingIsAllocated) {
  const auto bytes = encode(example());
  const std::size_t length = bytes.size() - 4;
  EXPECT_EQ(decode(bytes, length).state, State::whole);
  EXPECT_EQ(decode(bytes, length - 1).state, State::invalid);
  EXPECT_EQ(decode(with_length(bytes, 0xffffffff).substr(0, 4), kMaxMessage).state, State::invalid);
  EXPECT_EQ(decode(with_length(bytes, 24).substr(0, 4), kMaxMessage).state, State::invalid);
  auto hostile = bytes;
  hostile.replace(4 + 25, 4, "\xff\xff\xff\x7f");  // the first text's
  EXPECT_EQ(decode(hostile, kMaxMessage).state, State::invalid);
}

TEST(CoordinatorMessage, KindsAreKnownAndHaveTheirTexts) {
  auto bytes = encode({.kind = Kind::count});
  for (const int kind : {0, 23, 255}) {
    bytes[4] = static_cast<char>(kind);
    EXPECT_EQ(decode(bytes, kMaxMessage).state, State::invalid) << kind;
  }
  bytes[4] = static_cast<char>(Kind::set);
  EXPECT_EQ(decode(bytes, kMaxMessage).state, State::invalid) << "no key and no value";
  EXPECT_THROW(encode({.kind = Kind::set, .texts = {"key"}}), BrokenInvariant);
}

TEST(CoordinatorMessage, HasAtMost4096Texts) {
  auto bytes = encode({.kind = Kind::check, .texts = std::vector<std::string>(kMaxTexts)});
  EXPECT_EQ(decode(bytes, kMaxMessage).state, State::whole);
  bytes += std::string(4, '\0');
  EXPECT_EQ(decode(with_length(bytes, static_cast<std::uint32_t>(bytes.size() - 4)), kMaxMessage).state,
            State::invalid);
}

TEST(CoordinatorMessage, ActivitiesAreRows) {
  using std::chrono::milliseconds;
  const RankActivity activity{"step 12, backward", 43, milliseconds(1500), milliseconds(20)};
  EXPECT_EQ(to_row(activity), "43 1500 20 step 12, backward");
  EXPECT_EQ(from_row(to_row(activity)), activity);
  EXPECT_EQ(from_row(to_row({})), RankActivity{});
  EXPECT_EQ(from_row("no numbers"), (RankActivity{.what = "no numbers"}));
  EXPECT_EQ(from_row("99999999999999999999 1 2 x").what, "x");
  EXPECT_EQ(from_row(""), RankActivity{});
}

}  // namespace
}  // namespace peerless::cluster
