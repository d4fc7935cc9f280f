#include "src/dist/process_group.h"

#ifdef USE_C10D_NCCL
#include <cstdlib>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "peerless/cluster/network.h"

namespace peerless {

Backend make_nccl(const Store& store, std::int64_t rank, std::int64_t world_size, const std::string& address,
                  std::chrono::milliseconds timeout) {
  if (is_loopback(address)) setenv("NCCL_SOCKET_IFNAME", "lo", /*overwrite=*/0);  // else it listens at all addresses
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;  // its watchdog ends the process when an operation takes longer
  return c10::make_intrusive<c10d::ProcessGroupNCCL>(store, static_cast<int>(rank), static_cast<int>(world_size),
                                                     std::move(options));
}

}  // namespace peerless

#else
#include "peerless/base/error.h"

namespace peerless {

Backend make_nccl(const Store& /*store*/, std::int64_t /*rank*/, std::int64_t /*world_size*/,
                  const std::string& /*address*/, std::chrono::milliseconds /*timeout*/) {
  throw Error(ExitCode::config, "this build has no NCCL for GPUs; the cuda preset of CMake has");
}

}  // namespace peerless
#endif
