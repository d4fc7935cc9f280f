// The characters that a config file may hold.
#pragma once

#include <optional>
#include <string>
#include <string_view>

namespace peerless::config {

struct BadCharacter {
  int line, column;  // from 1
  std::string what;
};

// The first byte that is no part of valid UTF-8, or a character that a config may not hold: a byte order mark, a tab,
// any other control character but line ends (\n and \r\n).
std::optional<BadCharacter> find_bad_character(std::string_view text);

}  // namespace peerless::config
