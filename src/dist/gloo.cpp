#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "src/dist/process_group.h"

namespace peerless {

Backend make_gloo(const Store& store, std::int64_t rank, std::int64_t world_size, const std::string& address,
                  std::chrono::milliseconds timeout) {
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->devices.push_back(c10d::ProcessGroupGloo::createDeviceForHostname(address));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(rank), static_cast<int>(world_size),
                                                     std::move(options));
}

}  // namespace peerless
