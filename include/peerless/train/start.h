// How a run starts: anew, from its own newest intact checkpoint, or from another run's.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "peerless/cluster/launch.h"
#include "peerless/train/run_config.h"
#include "peerless/train/run_folder.h"
#include "peerless/train/stop_request.h"

namespace peerless {

// What `peerless train` was told beside the config.
struct StartOptions {
  std::string resume = "auto";      // auto, never, or the folder of a checkpoint of this run
  std::optional<std::string> from;  // a checkpoint, or a run, whose weights, moments and data position to start with
  bool weights_only = false;        // ... of which only the weights
  bool allow_nonfinite = false;     // ... though some are NaN or infinite
  std::vector<std::string> override_keys;  // keys that may differ from the checkpoint's config
  bool allow_data_change = false;
};

// The whole of `peerless train`: joins the processes of the launch, opens the run's folder, builds the trainer, starts
// it as told, trains. Rank 0 writes to the folder; the others only their parts of checkpoints, and which samples they
// saw. Ends early (preempted) when `stop` is received, on any of the processes.
ExitCode train(const RunConfig& config, const StartOptions& options, const Launch& launch, const StopRequest& stop,
               Files& files);

}  // namespace peerless
