// Kernel of rope (peerless/ops/rope.h).
#pragma once

#include <cstdint>

namespace peerless::kernels {

template <class T>
struct Rope {
  std::int64_t length;  // T
  std::int64_t heads;   // H
  std::int64_t half;    // d/2
  const T* cos;         // [T, d/2]
  const T* sin;
  T direction;  // 1, or -1 to rotate back
};

// y of tokens [first, last) of x [B T, H, d].
template <class T>
void rotate(const Rope<T>& rope, const T* x, T* y, std::int64_t first, std::int64_t last);

}  // namespace peerless::kernels
