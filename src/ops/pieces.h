// Work in pieces, so that what is held between them stays small.
#pragma once

#include <algorithm>
#include <cstdint>

namespace peerless {

// Calls f(first, n) for pieces of `size` items, in order; the last may be smaller.
template <class F>
void for_pieces(std::int64_t num_items, std::int64_t size, F f) {
  for (std::int64_t first = 0; first < num_items; first += size) f(first, std::min(size, num_items - first));
}

}  // namespace peerless
