#include "peerless/ops/kernels.h"

#include "src/ops/kernels/kernel.h"

#ifdef PEERLESS_CUDA
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <torch/csrc/cuda/nccl.h>

#include "peerless/base/text.h"
#endif

namespace peerless {

namespace {

// Versions by hand of what PEERLESS_CLONES makes by itself: the same loader picks among them.
#ifdef PEERLESS_HAS_CLONES
__attribute__((target("arch=x86-64-v4"))) const char* own_generation() { return "x86-64-v4"; }
__attribute__((target("arch=x86-64-v3"))) const char* own_generation() { return "x86-64-v3"; }
__attribute__((target("default"))) const char* own_generation() { return "baseline"; }
#else
const char* own_generation() { return "baseline"; }
#endif

}  // namespace

const char* kernel_generation() { return own_generation(); }

#ifdef PEERLESS_CUDA
namespace {

std::string version(std::uint64_t major, std::uint64_t minor, std::uint64_t patch) {
  return concat(major, ".", minor, ".", patch);
}

}  // namespace

std::optional<CudaBuild> cuda_build() {
  const auto& hooks = at::detail::getCUDAHooks();
  const auto cuda = static_cast<std::uint64_t>(hooks.versionCUDART());  // 1000 major + 10 minor
  const auto cudnn = static_cast<std::uint64_t>(hooks.versionCuDNN());  // 10000 major + 100 minor + patch, from 9 on
  const std::uint64_t nccl = torch::cuda::nccl::version();              // major << 32 | minor << 16 | patch
  return CudaBuild{
      .cuda = concat(cuda / 1000, ".", cuda % 1000 / 10),
      .cudnn = version(cudnn / 10000, cudnn % 10000 / 100, cudnn % 100),
      .nccl = version(nccl >> 32, nccl >> 16 & 0xffff, nccl & 0xffff),
      .libtorch_operators = c10::Dispatcher::singleton().getRegistrationsForDispatchKey(c10::DispatchKey::CUDA).size(),
      .own_operators = {"pair_dot", "pair_sum", "row_sums", "rope"},
      .gpus = static_cast<std::size_t>(hooks.deviceCount())};
}
#else
std::optional<CudaBuild> cuda_build() { return std::nullopt; }
#endif

}  // namespace peerless
