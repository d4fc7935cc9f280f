// The last words of a process that fails: one line on standard error, and a file for the launcher.
//
//   FATAL PEER rank=0 host=n17 step=12 what="rank 1 is lost: its connection closed; this process was at step 12: ..."
//
// Rank, host and step where it trains. Quotes and backslashes in `what` have a backslash before them. Where there is a
// list to show, as of the keys that two configs differ in, its lines follow.
//
// TORCHELASTIC_ERROR_FILE, where torchrun sets it, gets {"message": {"message": ..., "extraInfo": {"timestamp": ...}}}:
// what torchrun prints as the root cause when a job ends (torch/distributed/elastic/multiprocessing/errors).
#pragma once

#include <atomic>
#include <cstdint>
#include <string>

#include "peerless/base/error.h"
#include "peerless/cluster/launch.h"

namespace peerless {

// Which process of a training this is, and the steps it has done; below 0: none.
struct FatalPlace {
  std::atomic<std::int64_t> rank = -1, step = -1;
};
FatalPlace& fatal_place();

// Returns the number to exit with. That the file cannot be written is only said.
int report_fatal(ExitCode code, const std::string& what, const Environment& environment = process_environment());

}  // namespace peerless
