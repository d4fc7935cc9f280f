#include "tests/fuzz/target.h"

#include "peerless/base/text.h"

namespace peerless::fuzz {

void check_message(std::string_view message) {
  constexpr std::size_t kLongest = 4096;
  PEERLESS_CHECK(message.size() < kLongest, "a message of ", message.size(), " bytes: ", message);
  PEERLESS_CHECK(!message.empty(), "an empty message");
  for (const auto& line : split(message, '\n')) PEERLESS_CHECK(printable(line) == line, printable(message));
}

}  // namespace peerless::fuzz
