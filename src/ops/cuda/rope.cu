#include <c10/util/BFloat16.h>

#include "src/ops/cuda/launch.h"
#include "src/ops/cuda/rope.h"

namespace peerless::cuda {
namespace {

template <class T, class C>
__global__ void rotate_kernel(Rope<C> rope, const T* x, T* y, std::int64_t num_pairs) {
  const std::int64_t stride = std::int64_t{gridDim.x} * kThreads;
  for (std::int64_t i = std::int64_t{blockIdx.x} * kThreads + threadIdx.x; i < num_pairs; i += stride)
    rotate_pair(rope, x, y, i);
}

}  // namespace

template <class T, class C>
void launch_rotate(const Rope<C>& rope, const T* x, T* y, std::int64_t num_pairs, void* stream) {
  rotate_kernel<<<blocks_for(num_pairs), kThreads, 0, static_cast<cudaStream_t>(stream)>>>(rope, x, y, num_pairs);
  check_launch("rope");
}

template void launch_rotate(const Rope<float>&, const float*, float*, std::int64_t, void*);
template void launch_rotate(const Rope<float>&, const c10::BFloat16*, c10::BFloat16*, std::int64_t, void*);
template void launch_rotate(const Rope<double>&, const double*, double*, std::int64_t, void*);

}  // namespace peerless::cuda
