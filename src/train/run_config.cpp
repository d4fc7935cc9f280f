#include "peerless/train/run_config.h"

namespace peerless {

template const config::Record& config::record_of<RunConfig>();

void RunConfig::check() const {
  if (train.stop_at && *train.stop_at > train.max_steps)
    throw Error(ExitCode::config, "train.stop_at (", *train.stop_at, ") has no effect: max_steps is ", train.max_steps);
  if (model.tables().empty() && shared_settings(optim).tables != TablesConfig{})
    throw Error(ExitCode::config, "optim.tables has no effect: no layer has a table");
  if (data.val.empty() && eval != EvalConfig{})
    throw Error(ExitCode::config, "eval has no effect: data.val names no set");
}

}  // namespace peerless
