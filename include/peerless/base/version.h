// Which program this is, for --version and for what it writes.
#pragma once

#include <string>

namespace peerless {

std::string program_version();  // "peerless 0.1.0 (a1b2c3d4e5f6)", with the commit it was built from

}  // namespace peerless
