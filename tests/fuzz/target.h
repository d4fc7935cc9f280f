// What the fuzz targets share. A target is a function of some bytes that breaks an invariant of ours, or a rule of the
// sanitizers, when the code that it feeds has a fault; whatever the bytes are.
//
//   scripts/fuzz safetensors      runs one with libFuzzer (driver.cpp)
//   scripts/test.sh fuzz          runs all over the committed corpus (replay_test.cpp), with any compiler
#pragma once

#include <algorithm>
#include <cstddef>
#include <cstdint>
#include <span>
#include <string_view>

#include "peerless/base/error.h"

namespace peerless::fuzz {

using Bytes = std::span<const std::uint8_t>;

inline std::string_view text_of(Bytes bytes) { return {reinterpret_cast<const char*>(bytes.data()), bytes.size()}; }

// What every message to people must be: lines of printable UTF-8, less than 4 KiB together.
void check_message(std::string_view message);

// Whether `f` takes what it is given. It may refuse with an Error of that code and a good message, and in no other way.
template <class F>
bool accepts(ExitCode code, F&& f) {
  try {
    f();
    return true;
  } catch (const Error& error) {
    check_message(error.what());
    PEERLESS_CHECK(error.code() == code, "refused with ", name(error.code()), ": ", error.what());
    return false;
  }
}

// Values that bytes decide about, until they are used up: then all are 0.
class Draw {
 public:
  explicit Draw(Bytes bytes) : rest_(bytes) {}

  bool done() const { return rest_.empty(); }
  std::size_t below(std::size_t count) {  // count <= 256
    if (done()) return 0;
    const auto byte = rest_.front();
    rest_ = rest_.subspan(1);
    return byte % count;
  }
  Bytes take(std::size_t most) {
    const auto taken = rest_.first(std::min(most, rest_.size()));
    rest_ = rest_.subspan(taken.size());
    return taken;
  }

 private:
  Bytes rest_;
};

}  // namespace peerless::fuzz
