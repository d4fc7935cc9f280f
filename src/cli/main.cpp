#include "peerless/cli/run.h"

int main(int argc, char** argv) { peerless::cli::run_and_exit(argc, argv, peerless::disk()); }
