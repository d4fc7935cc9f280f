// The whole program, with the disk it works on: main() is one line, and a test can give it a disk that fails.
#pragma once

#include "peerless/base/files.h"

namespace peerless::cli {

// Does what the command line says, and ends the process with its exit code.
[[noreturn]] void run_and_exit(int argc, char** argv, Files& files);

}  // namespace peerless::cli
