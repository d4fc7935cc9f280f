// A checkpoint in another number of files: for tools and file systems that want one, or smaller ones. Training needs no
// such thing: any number of processes reads any number of files.
//
// Memory   one of the new files
// Errors   those of Checkpoint and Save; Error(output) unless the folder is new or empty; Error(usage) unless there is
//          at least one part
#pragma once

#include <filesystem>

#include "peerless/checkpoint/checkpoint.h"

namespace peerless {

// Writes `folder`/step-.../ with so many files, of about equal size: each has some rows of every tensor that has as
// many. Durable when it returns; the checkpoint that is read stays as it is.
void reshard(Files& files, const Checkpoint& checkpoint, const std::filesystem::path& folder, int parts);

}  // namespace peerless
