// What the processes of a run know and strangers do not: with it they prove to each other that they belong together
// (proof.h).
//
//   PEERLESS_SECRET        the secret itself
//   PEERLESS_SECRET_FILE   a file that holds it, for its owner alone (chmod 600). White space at its end does not count
//
// Errors   Error(config): both are set; the secret has fewer than 16 bytes; the file is no regular file of this user,
//          can be read by others, or cannot be read
#pragma once

#include <string>

#include "peerless/cluster/launch.h"

namespace peerless {

// Empty where neither is set: then whoever reaches the port may join.
std::string find_secret(const Environment& environment);

}  // namespace peerless
