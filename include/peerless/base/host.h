// Which machine this is.
#pragma once

#include <string>

namespace peerless {

std::string host_name();
std::string boot_id();  // of the running kernel: who has the same one sees this one's locks

}  // namespace peerless
