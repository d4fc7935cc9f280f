// Launch of the kernel in rope.cu, on a stream (a cudaStream_t). Pointers are of the device.
#pragma once

#include "src/ops/cuda/rope_items.h"

namespace peerless::cuda {

// x [B, T, H, d] of `num_pairs` = B T H d/2 pairs into y: a thread for each pair. T is float or BFloat16 where C is
// float, double where C is double.
template <class T, class C>
void launch_rotate(const Rope<C>& rope, const T* x, T* y, std::int64_t num_pairs, void* stream);

}  // namespace peerless::cuda
