// libFuzzer's entry to the target that CMakeLists.txt names.
#include "tests/fuzz/targets.h"

extern "C" int LLVMFuzzerTestOneInput(const std::uint8_t* data, std::size_t size) {
  peerless::fuzz::PEERLESS_FUZZ_TARGET({data, size});
  return 0;
}
