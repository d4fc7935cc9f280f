#include "src/config/characters.h"

#include "peerless/base/text.h"
#include "peerless/base/utf8.h"

namespace peerless::config {
namespace {

std::string complaint_about(std::string_view rest) {
  if (rest.starts_with("\xEF\xBB\xBF")) return "a byte order mark; save the file as UTF-8 without one";
  if (rest[0] == '\t') return "a tab; indent with spaces";
  if (rest[0] == '\r' && rest.size() > 1 && rest[1] == '\n') return "";
  const auto code = static_cast<unsigned char>(rest[0]);
  if ((code < 0x20 && rest[0] != '\n') || code == 0x7F) return "a control character: " + printable(rest.substr(0, 1));
  if (utf8_length(rest) == 0) return "not valid UTF-8";
  return "";
}

}  // namespace

std::optional<BadCharacter> find_bad_character(std::string_view text) {
  int line = 1, column = 1;
  while (!text.empty()) {
    if (auto what = complaint_about(text); !what.empty()) return BadCharacter{line, column, std::move(what)};
    const std::size_t length = utf8_length(text);
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
