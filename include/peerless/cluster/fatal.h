// The last words of a process that fails: one message on standard error, and a file for the launcher.
//
//   peerless: PEER: rank 1 is lost: its connection closed; this process was at step 12: forward and backward
//
// TORCHELASTIC_ERROR_FILE, where torchrun sets it, gets {"message": {"message": ..., "extraInfo": {"timestamp": ...}}}:
// what torchrun prints as the root cause when a job ends (torch/distributed/elastic/multiprocessing/errors).
#pragma once

#include <string>

#include "peerless/base/error.h"
#include "peerless/cluster/launch.h"

namespace peerless {

// Returns the number to exit with. That the file cannot be written is only said.
int report_fatal(ExitCode code, const std::string& what, const Environment& environment = process_environment());

}  // namespace peerless
