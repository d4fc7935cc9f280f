#include "src/ops/kernels/rope.h"

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {

template <class T>
PEERLESS_CLONES void rotate(const Rope<T>& rope, const T* x, T* y, std::int64_t first, std::int64_t last) {
  for (std::int64_t token = first; token < last; ++token) {
    const T* const cos = rope.cos + token % rope.length * rope.half;
    const T* const sin = rope.sin + token % rope.length * rope.half;
    for (std::int64_t head = token * rope.heads; head < (token + 1) * rope.heads; ++head) {
      const T* const a = x + head * 2 * rope.half;
      const T* const b = a + rope.half;
      T* const out_a = y + head * 2 * rope.half;
      T* const out_b = out_a + rope.half;
#pragma omp simd
      for (std::int64_t i = 0; i < rope.half; ++i) {
        const T turned = rope.direction * sin[i];
        out_a[i] = a[i] * cos[i] - b[i] * turned;
        out_b[i] = b[i] * cos[i] + a[i] * turned;
      }
    }
  }
}

template void rotate(const Rope<float>&, const float*, float*, std::int64_t, std::int64_t);
template void rotate(const Rope<double>&, const double*, double*, std::int64_t, std::int64_t);

}  // namespace peerless::kernels
