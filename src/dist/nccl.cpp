#include "src/dist/process_group.h"

#ifdef USE_C10D_NCCL
#include <unistd.h>

#include <cstdlib>
#include <exception>
#include <thread>
#include <torch/csrc/distributed/c10d/ProcessGroupNCCL.hpp>

#include "peerless/cluster/fatal.h"
#include "peerless/cluster/network.h"

namespace peerless {
namespace {

// NCCL's watchdog, where a peer is gone or an operation takes too long, throws on a thread of its own, which ends the
// process. The coordinator, which knows whose fault it is, may do so first.
[[noreturn]] void end_for_watchdog() {
  constexpr std::chrono::seconds kVerdict{5};
  if (!std::current_exception()) std::abort();
  try {
    std::rethrow_exception(std::current_exception());
  } catch (const c10::DistError& error) {
    std::this_thread::sleep_for(kVerdict);
    const std::string what = error.what_without_backtrace();
    _exit(report_fatal(ExitCode::peer, what.substr(0, what.find('\n'))));
  } catch (...) {
    std::abort();
  }
}

}  // namespace

Backend make_nccl(const Store& store, std::int64_t rank, std::int64_t world_size, const std::string& address,
                  std::chrono::milliseconds timeout) {
  const auto interface = interface_of(address);  // without it NCCL listens at all addresses
  if (!interface.empty()) setenv("NCCL_SOCKET_IFNAME", concat("=", interface).c_str(), /*overwrite=*/0);
  std::set_terminate(end_for_watchdog);
  auto options = c10d::ProcessGroupNCCL::Options::create();
  options->timeout = timeout;
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
