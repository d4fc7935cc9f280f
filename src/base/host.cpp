#include "peerless/base/host.h"

#include <unistd.h>

#include <array>
#include <fstream>

namespace peerless {

std::string host_name() {
  std::array<char, 256> name{};
  ::gethostname(name.data(), name.size() - 1);
  return name.data();
}

std::string boot_id() {
  std::string id;
  std::ifstream("/proc/sys/kernel/random/boot_id") >> id;
  return id.empty() ? host_name() : id;
}

}  // namespace peerless
