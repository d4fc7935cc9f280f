// Removes old checkpoints of a run beside training, as training does with `checkpoint.keep_last`.
#pragma once

#include <cstdint>
#include <filesystem>
#include <vector>

#include "peerless/base/files.h"

namespace peerless {

// Removes the checkpoints older than the `keep_last` (>= 2) newest intact ones, and returns their folders, newest
// first; with `dry_run` none is removed. The one that training found good last, and the one on trial (probation.h),
// stay in any case: a run that diverges goes back to them.
//
// Holds the run's lock meanwhile: Error(output) where a process trains in it. Error(no_input) where no run is.
std::vector<std::filesystem::path> prune(Files& files, const std::filesystem::path& run, std::int64_t keep_last,
                                         bool dry_run);

}  // namespace peerless
