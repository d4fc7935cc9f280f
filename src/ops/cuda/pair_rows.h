// Launches of the kernels in pair_rows.cu, on a stream (a cudaStream_t). Pointers are of the device.
#pragma once

#include "src/ops/cuda/pair_rows_items.h"

namespace peerless::cuda {

// out[pair] = x_t . row(pair), of T * P pairs: a warp for each.
template <class T>
void launch_pair_dot(const PairRows<T>& rows, const T* x, T* out, std::int64_t num_pairs, void* stream);

// y [T, d]: a thread for each element, tokens' pairs in order.
template <class T>
void launch_pair_sum(const PairRows<T>& rows, const T* weights, T* y, std::int64_t num_tokens, void* stream);

// sums [R, d]: a thread for each element, a row's pairs in order. No atomics.
template <class T>
void launch_row_sums(const PairsOfRows& pairs, const T* weights, const T* source, T* sums, std::int64_t num_rows,
                     std::int64_t d, void* stream);

}  // namespace peerless::cuda
