// Which kernels this program has, for this processor and for GPUs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace peerless {

// Which of the versions of the CPU kernels runs on this processor: "x86-64-v4", "x86-64-v3", or "baseline", what the
// compiler makes for every processor of its kind.
const char* kernel_generation();

struct CudaBuild {
  std::string cuda, cudnn, nccl;           // "13.0", "9.19.0", "2.28.9": the versions linked with
  std::size_t libtorch_operators = 0;      // that have a CUDA kernel
  std::vector<std::string> own_operators;  // ours, with kernels of their own
  std::size_t gpus = 0;                    // that can be used now
};

// Nothing in a build without CUDA.
std::optional<CudaBuild> cuda_build();

}  // namespace peerless
