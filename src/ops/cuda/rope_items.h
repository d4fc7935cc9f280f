// What one thread of the CUDA kernel in rope.cu does: a plain function of host and device, so that tests run it for
// every item on the CPU.
#pragma once

#include <cstdint>

#include "src/ops/cuda/host_device.h"

namespace peerless::cuda {

// C: what angles come in and products are made in.
template <class C>
struct Rope {
  std::int64_t length;  // T
  std::int64_t heads;   // H
  std::int64_t half;    // d/2
  const C* cos;         // [T, d/2]
  const C* sin;
  C direction;  // 1, or -1 to rotate back
};

// Pair i of B T H d/2, of x [B, T, H, d] into y.
template <class T, class C>
PEERLESS_HOST_DEVICE void rotate_pair(const Rope<C>& rope, const T* x, T* y, std::int64_t i) {
  const std::int64_t row = i / rope.half, j = i % rope.half, angle = row / rope.heads % rope.length * rope.half + j;
  const std::int64_t at_a = row * 2 * rope.half + j, at_b = at_a + rope.half;
  const C cos = rope.cos[angle], sin = rope.direction * rope.sin[angle];
  const C a = static_cast<C>(x[at_a]), b = static_cast<C>(x[at_b]);
  y[at_a] = static_cast<T>(a * cos - b * sin);
  y[at_b] = static_cast<T>(b * cos + a * sin);
}

}  // namespace peerless::cuda
