#include "peerless/cluster/message.h"

#include <array>
#include <charconv>

#include "peerless/base/error.h"

namespace peerless::cluster {
namespace {

using Kind = Message::Kind;

constexpr std::size_t kLength = sizeof(std::uint32_t);
constexpr std::size_t kHeader = sizeof(Kind) + 3 * sizeof(std::uint64_t);

struct Count {
  std::size_t least, most;
};

// How many texts a message of each kind has; the first is no kind.
constexpr std::array<Count, 22> kTexts = {{
    {1, 0},                                  //
    {1, 1}, {3, 3},         {1, 1}, {1, 1},  // challenge hello welcome refused
    {0, 1}, {1, 1},         {0, 0}, {1, 1},         {1, kMaxTexts},
    {0, 0},                                                          // beat waiting gathered report lost goodbye
    {2, 2}, {1, kMaxTexts}, {1, 1}, {0, kMaxTexts}, {0, kMaxTexts},  // set get add check wait
    {3, 3}, {1, 1},         {0, 0}, {2, 2},         {0, kMaxTexts},
    {1, 1},  // compare_set remove count append reply failed
}};
static_assert(kTexts.size() == static_cast<std::size_t>(Kind::failed) + 1);

bool is_well_formed(const Message& message) {
  const auto kind = static_cast<std::size_t>(message.kind);
  if (kind >= kTexts.size()) return false;
  return message.texts.size() >= kTexts[kind].least && message.texts.size() <= kTexts[kind].most;
}

template <class T>
void put(std::string& out, T value) {
  for (std::size_t i = 0; i < sizeof(T); ++i) out += static_cast<char>(static_cast<std::uint64_t>(value) >> (8 * i));
}

template <class T>
T take(std::string_view& in) {
  std::uint64_t value = 0;
  for (std::size_t i = 0; i < sizeof(T); ++i) value |= std::uint64_t{static_cast<unsigned char>(in[i])} << (8 * i);
  in.remove_prefix(sizeof(T));
  return static_cast<T>(value);
}

}  // namespace

std::string encode(const Message& message) {
  PEERLESS_CHECK(is_well_formed(message), "kind ", static_cast<int>(message.kind), ", texts ", message.texts.size());
  std::size_t length = kHeader;
  for (const auto& text : message.texts) length += kLength + text.size();
  std::string out;
  out.reserve(kLength + length);
  put(out, static_cast<std::uint32_t>(length));
  put(out, message.kind);
  put(out, message.id);
  put(out, message.rank);
  put(out, message.number);
  for (const auto& text : message.texts) {
    put(out, static_cast<std::uint32_t>(text.size()));
    out += text;
  }
  return out;
}

Decoded decode(std::string_view bytes, std::size_t limit) {
  using State = Decoded::State;
  if (bytes.size() < kLength) return {State::partial};
  const std::size_t length = take<std::uint32_t>(bytes);
  if (length < kHeader || length > limit) return {State::invalid};
  if (bytes.size() < length) return {State::partial};
  auto rest = bytes.substr(0, length);
  Decoded decoded{State::whole, {}, kLength + length};
  auto& message = decoded.message;
  message.kind = take<Kind>(rest);
  message.id = take<std::uint64_t>(rest);
  message.rank = take<std::int64_t>(rest);
  message.number = take<std::int64_t>(rest);
  while (!rest.empty()) {
    if (rest.size() < kLength || message.texts.size() == kMaxTexts) return {State::invalid};
    const std::size_t size = take<std::uint32_t>(rest);
    if (size > rest.size()) return {State::invalid};
    message.texts.emplace_back(rest.substr(0, size));
    rest.remove_prefix(size);
  }
  if (!is_well_formed(message)) return {State::invalid};
  return decoded;
}

std::string to_row(const RankActivity& activity) {
  return concat(activity.exchanges, " ", activity.unchanged.count(), " ", activity.silent.count(), " ", activity.what);
}

RankActivity from_row(std::string_view row) {
  const auto take_number = [&row] {
    std::int64_t number = 0;
    const auto end = std::from_chars(row.data(), row.data() + row.size(), number).ptr;
    row.remove_prefix(static_cast<std::size_t>(end - row.data()));
    row.remove_prefix(row.starts_with(' ') ? 1 : 0);
    return number;
  };
  const auto exchanges = take_number();
  const std::chrono::milliseconds unchanged(take_number());
  const std::chrono::milliseconds silent(take_number());
  return {std::string(row), exchanges, unchanged, silent};
}

}  // namespace peerless::cluster
