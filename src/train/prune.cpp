#include "peerless/train/prune.h"

#include <algorithm>
#include <set>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/train/probation.h"
#include "peerless/train/run_folder.h"

namespace peerless {
namespace {

// What training would keep beside the newest. A checkpoint that is of no training says nothing of it.
std::set<std::int64_t> kept_by_training(const Checkpoint& newest) {
  Probation probation;
  const State state = probation.state();
  const auto& stored = newest.manifest().tensors;
  const bool holds_all = std::ranges::all_of(state.entries(), [&](const auto& entry) {
    return std::ranges::any_of(stored, [&](const auto& tensor) { return tensor.name == entry.name; });
  });
  if (!holds_all) return {};
  newest.load_some(state);
  return probation.kept();
}

}  // namespace

std::vector<std::filesystem::path> prune(Files& files, const std::filesystem::path& run, std::int64_t keep_last,
                                         bool dry_run) {
  if (!is_run(files, run))
    throw Error(ExitCode::no_input, printable(run.string()), ": is no run; name the folder that `train` made");
  const auto held = RunFolder::open(files, run, RunMode::go_on);
  CheckpointFolder folder(files, held.checkpoints());
  const auto newest = folder.newest_intact();
  if (!newest) return {};
  folder.trust(newest->info().step);
  const auto keep = kept_by_training(*newest);
  std::vector<std::int64_t> steps;
  if (dry_run) {
    steps = folder.surplus(keep_last, keep);
  } else {
    held.check_held();
    folder.settle();
    steps = folder.prune(keep_last, keep, [&held] { held.check_held(); });
  }
  std::vector<std::filesystem::path> paths;
  for (const auto step : steps) paths.push_back(folder.path() / step_name(step));
  return paths;
}

}  // namespace peerless
