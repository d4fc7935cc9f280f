#include "peerless/dist/rendezvous.h"

#include <torch/csrc/distributed/c10d/FileStore.hpp>
#include <torch/csrc/distributed/c10d/PrefixStore.hpp>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "peerless/base/error.h"
#include "src/dist/network.h"
#include "src/dist/process_group.h"

namespace peerless {
namespace {

constexpr const char* kLoopback = "127.0.0.1";

Store open_store(const Launch& launch, std::chrono::milliseconds timeout) {
  if (!launch.file.empty())
    return c10::make_intrusive<c10d::FileStore>(launch.file.string(), static_cast<int>(launch.world_size));
  const std::string host = launch.one_host() && !launch.store_is_served ? kLoopback : launch.host;
  c10d::TCPStoreOptions options;
  options.port = launch.port;
  options.timeout = timeout;
  options.waitWorkers = false;
  options.isServer = launch.rank == 0 && !launch.store_is_served;
  if (options.isServer) options.masterListenFd = listen_at(host, launch.port);
  return c10::make_intrusive<c10d::TCPStore>(host, options);
}

// Empty: that of this host's name.
std::string own_address(const Launch& launch) {
  if (launch.one_host()) return kLoopback;
  return launch.host.empty() ? "" : local_address_towards(launch.host);
}

}  // namespace

std::unique_ptr<Communicator> join(const Launch& launch, at::Device device, std::chrono::milliseconds timeout) {
  if (launch.world_size == 1) return single_process();
  try {
    const Store store = c10::make_intrusive<c10d::PrefixStore>(launch.attempt, open_store(launch, timeout));
    Backends backends;
    backends.host = make_gloo(store, launch.rank, launch.world_size, own_address(launch), timeout);
    if (!device.is_cpu()) {
      const Store of_its_own = c10::make_intrusive<c10d::PrefixStore>("device", store);
      backends.device = make_nccl(of_its_own, launch.rank, launch.world_size, timeout);
    }
    return process_group(std::move(backends), timeout);
  } catch (const c10::Error& error) {
    throw Error(ExitCode::peer, "the ", launch.world_size,
                " processes did not find each other: ", error.what_without_backtrace());
  } catch (const std::exception& error) {
    if (dynamic_cast<const Error*>(&error)) throw;
    throw Error(ExitCode::peer, "the ", launch.world_size, " processes did not find each other: ", error.what());
  }
}

}  // namespace peerless
