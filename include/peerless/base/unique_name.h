// A name that nothing else has: 32 hexadecimal digits of the system's entropy. The one draw that no seed decides.
#pragma once

#include <string>

namespace peerless {

std::string unique_name();

}  // namespace peerless
