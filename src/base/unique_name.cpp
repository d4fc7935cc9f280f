#include "peerless/base/unique_name.h"

#include <random>

#include "peerless/base/hash.h"

namespace peerless {

std::string unique_name() {
  std::random_device entropy;  // 32 bits at a time
  const auto word = [&entropy] { return std::uint64_t{entropy()} << 32 | entropy(); };
  return Digest{word(), word()}.hex();
}

}  // namespace peerless
