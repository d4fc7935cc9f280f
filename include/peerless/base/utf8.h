// UTF-8 as Unicode defines it: no overlong forms, no surrogates, nothing above U+10FFFF.
#pragma once

#include <cstddef>
#include <string_view>

namespace peerless {

// Bytes of the character that `text` begins with; 0 when it begins with none.
std::size_t utf8_length(std::string_view text);

// Offset of the first byte that is no part of a character; npos when all of `text` is valid.
std::size_t find_invalid_utf8(std::string_view text);

// At most `limit` bytes from the start of `text`, and no character is cut in two. limit >= 4.
std::string_view utf8_prefix(std::string_view text, std::size_t limit);

}  // namespace peerless
