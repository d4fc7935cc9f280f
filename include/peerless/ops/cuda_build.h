// What this program was built with to run on GPUs.
#pragma once

#include <cstddef>
#include <optional>
#include <string>
#include <vector>

namespace peerless {

struct CudaBuild {
  std::string cuda, cudnn, nccl;           // "13.0", "9.19.0", "2.28.9": the versions linked with
  std::size_t libtorch_operators = 0;      // that have a CUDA kernel
  std::vector<std::string> own_operators;  // ours, with kernels of their own
  std::size_t gpus = 0;                    // that can be used now
};

// Nothing in a build without CUDA.
std::optional<CudaBuild> cuda_build();

}  // namespace peerless
