#include "src/config/utf8.h"

#include <cstdint>

#include "peerless/base/text.h"

namespace peerless::config {
namespace {

// The length of the UTF-8 character that `text` begins with; 0 when there is none (RFC 3629: nothing overlong, no
// surrogate, nothing above U+10FFFF).
std::size_t character_length(std::string_view text) {
  const auto byte = [&](std::size_t i) { return static_cast<std::uint32_t>(static_cast<unsigned char>(text[i])); };
  const std::uint32_t lead = byte(0);
  if (lead < 0x80) return 1;
  const std::size_t length = lead >= 0xF0 ? 4 : lead >= 0xE0 ? 3 : lead >= 0xC0 ? 2 : 0;
  if (length == 0 || lead >= 0xF8 || text.size() < length) return 0;
  std::uint32_t code = lead & (0x7Fu >> length);
  for (std::size_t i = 1; i < length; ++i) {
    if (!is_utf8_continuation(text[i])) return 0;
    code = code << 6 | (byte(i) & 0x3F);
  }
  constexpr std::uint32_t kSmallest[] = {0, 0, 0x80, 0x800, 0x10000};
  const bool surrogate = 0xD800 <= code && code < 0xE000;
  return code < kSmallest[length] || surrogate || code > 0x10FFFF ? 0 : length;
}

std::string complaint_about(std::string_view rest) {
  if (rest.starts_with("\xEF\xBB\xBF")) return "a byte order mark; save the file as UTF-8 without one";
  if (rest[0] == '\t') return "a tab; indent with spaces";
  if (rest[0] == '\r' && rest.size() > 1 && rest[1] == '\n') return "";
  const auto code = static_cast<unsigned char>(rest[0]);
  if ((code < 0x20 && rest[0] != '\n') || code == 0x7F) return "a control character: " + printable(rest.substr(0, 1));
  if (character_length(rest) == 0) return "not valid UTF-8";
  return "";
}

}  // namespace

std::optional<BadCharacter> find_bad_character(std::string_view text) {
  int line = 1, column = 1;
  while (!text.empty()) {
    if (auto what = complaint_about(text); !what.empty()) return BadCharacter{line, column, std::move(what)};
    const std::size_t length = character_length(text);
    column += static_cast<int>(length);
    if (text[0] == '\n') {
      ++line;
      column = 1;
    }
    text.remove_prefix(length);
  }
  return std::nullopt;
}

}  // namespace peerless::config
