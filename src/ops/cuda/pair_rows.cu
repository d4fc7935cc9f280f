#include <cub/warp/warp_reduce.cuh>

#include "src/ops/cuda/launch.h"
#include "src/ops/cuda/pair_rows.h"

namespace peerless::cuda {
namespace {

constexpr int kWarp = 32;

template <class T>
__global__ void pair_dot_kernel(PairRows<T> rows, const T* x, T* out, std::int64_t num_pairs) {
  using Reduce = cub::WarpReduce<T>;
  __shared__ typename Reduce::TempStorage storage[kThreads / kWarp];
  const int warp = threadIdx.x / kWarp, lane = threadIdx.x % kWarp;
  const std::int64_t stride = std::int64_t{gridDim.x} * (kThreads / kWarp);
  for (std::int64_t pair = std::int64_t{blockIdx.x} * (kThreads / kWarp) + warp; pair < num_pairs; pair += stride) {
    const T sum = Reduce(storage[warp]).Sum(pair_dot_share(rows, x, pair, lane, kWarp));
    if (lane == 0) out[pair] = sum;
    __syncwarp();
  }
}

template <class T>
__global__ void pair_sum_kernel(PairRows<T> rows, const T* weights, T* y, std::int64_t count) {
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride)
    y[i] = pair_sum_element(rows, weights, i / rows.d, i % rows.d);
}

template <class T>
__global__ void row_sums_kernel(PairsOfRows pairs, const T* weights, const T* source, T* sums, std::int64_t count,
                                std::int64_t d) {
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < count; i += stride)
    sums[i] = row_sum_element(pairs, weights, source, d, i / d, i % d);
}

}  // namespace

template <class T>
void launch_pair_dot(const PairRows<T>& rows, const T* x, T* out, std::int64_t num_pairs, void* stream) {
  pair_dot_kernel<<<blocks_for(num_pairs * kWarp), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(rows, x, out,
                                                                                                     num_pairs);
  check_launch("pair_dot");
}

template <class T>
void launch_pair_sum(const PairRows<T>& rows, const T* weights, T* y, std::int64_t num_tokens, void* stream) {
  const std::int64_t count = num_tokens * rows.d;
  pair_sum_kernel<<<blocks_for(count), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(rows, weights, y, count);
  check_launch("pair_sum");
}

template <class T>
void launch_row_sums(const PairsOfRows& pairs, const T* weights, const T* source, T* sums, std::int64_t num_rows,
                     std::int64_t d, void* stream) {
  const std::int64_t count = num_rows * d;
  row_sums_kernel<<<blocks_for(count), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(pairs, weights, source, sums,
                                                                                         count, d);
  check_launch("row_sums");
}

#define PEERLESS_INSTANTIATE(T)                                                         \
  template void launch_pair_dot(const PairRows<T>&, const T*, T*, std::int64_t, void*); \
  template void launch_pair_sum(const PairRows<T>&, const T*, T*, std::int64_t, void*); \
  template void launch_row_sums(const PairsOfRows&, const T*, const T*, T*, std::int64_t, std::int64_t, void*);
PEERLESS_INSTANTIATE(float)
PEERLESS_INSTANTIATE(double)

}  // namespace peerless::cuda
