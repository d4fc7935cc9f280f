#include "peerless/base/version.h"

#include "peerless/base/text.h"
#include "peerless/version.h"

namespace peerless {

std::string program_version() { return concat("peerless ", version, " (", commit, ")"); }

}  // namespace peerless
