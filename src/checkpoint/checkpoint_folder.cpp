#include "peerless/checkpoint/checkpoint_folder.h"

#include <algorithm>
#include <cerrno>

#include "peerless/base/log.h"

namespace peerless {
namespace {

constexpr std::string_view kNameOne = "name a run's folder, its checkpoints/, or one step-* folder in it";

std::vector<std::string> names_in(const Files& files, const std::filesystem::path& folder) {
  try {
    return files.list(folder);
  } catch (const IoError& error) {
    if (error.system_error() != ENOTDIR) throw;
    throw Error(ExitCode::data, printable(folder.string()), ": is a file, and no folder of checkpoints; ", kNameOne,
                " (.pt, .bin, .ckpt and archives are never opened)");
  }
}

}  // namespace

void CheckpointFolder::save(const State& state, const CheckpointInfo& info) {
  NoPeers nobody;
  save_together(nobody, files_, path_, state, info);
}

std::vector<std::int64_t> CheckpointFolder::steps() const {
  std::vector<std::int64_t> steps;
  if (!exists(files_, path_)) return steps;
  for (const auto& name : names_in(files_, path_)) {
    if (const auto step = step_in(name)) steps.push_back(*step);
  }
  std::sort(steps.rbegin(), steps.rend());
  return steps;
}

Checkpoint CheckpointFolder::open(std::int64_t step) const { return Checkpoint::open(files_, path_ / step_name(step)); }

std::optional<Checkpoint> CheckpointFolder::newest_intact(std::int64_t up_to) const {
  auto candidates = steps();
  std::erase_if(candidates, [&](auto step) { return step > up_to; });
  for (const auto step : candidates) {
    try {
      return Checkpoint::open_verified(files_, path_ / step_name(step));
    } catch (const Error& error) {
      if (!is_damage(error)) throw;
      log::warning(error.what(), "; trying an older checkpoint");
    }
  }
  if (candidates.empty()) return std::nullopt;
  throw Error(ExitCode::data, printable(path_.string()), ": none of the ", candidates.size(),
              " checkpoints is intact; move them away to begin anew");
}

std::vector<std::int64_t> CheckpointFolder::surplus(std::int64_t keep_last, const std::set<std::int64_t>& keep) {
  PEERLESS_CHECK(keep_last >= 2, "keep_last = ", keep_last);
  const auto all = steps();
  if (all.size() <= static_cast<std::size_t>(keep_last)) return {};
  std::set<std::int64_t> kept_beside;
  for (const auto step : keep) {
    const auto found = std::ranges::find_if(all, [&](auto at) { return at <= step && is_intact(at); });
    if (found != all.end()) kept_beside.insert(*found);
  }
  std::vector<std::int64_t> surplus;
  std::int64_t kept = 0;
  for (const auto step : all) {
    if (kept == keep_last) {
      if (!kept_beside.contains(step)) surplus.push_back(step);
    } else if (is_intact(step)) {
      ++kept;
    }
  }
  return surplus;
}

std::vector<std::int64_t> CheckpointFolder::prune(std::int64_t keep_last, const std::set<std::int64_t>& keep,
                                                  const std::function<void()>& may_remove) {
  auto steps = surplus(keep_last, keep);
  if (steps.empty()) return steps;
  may_remove();
  remove(steps);
  return steps;
}

std::filesystem::path CheckpointFolder::free_place_aside(std::int64_t step) const {
  for (int time = 1;; ++time) {
    const auto place = path_ / concat("aside-", time == 1 ? "" : concat(time, "-"), step_name(step));
    if (!exists(files_, place)) return place;
  }
}

void CheckpointFolder::settle() {
  if (!exists(files_, path_)) return;
  files_.sync_folder(path_);
  files_.sync_folder(folder_of(path_));
  remove_leftovers(files_, path_);
}

void CheckpointFolder::set_aside_after(std::int64_t step) {
  bool any = false;
  for (const auto later : steps()) {
    if (later <= step) break;
    const auto from = path_ / step_name(later), to = free_place_aside(later);
    files_.rename(from, to);
    verified_.erase(later);
    log::warning(from, ": set aside as ", to.filename(), ", because the run goes on from step ", step);
    any = true;
  }
  if (any) files_.sync_folder(path_);
}

bool CheckpointFolder::is_intact(std::int64_t step) {
  if (verified_.contains(step)) return true;
  try {
    Checkpoint::open_verified(files_, path_ / step_name(step));
  } catch (const Error& error) {
    if (error.code() != ExitCode::data) throw;
    log::warning(error.what(), "; it does not count as kept");
    return false;
  }
  verified_.insert(step);
  return true;
}

// Out of sight first, so that a crash between the files of one leaves no half checkpoint.
void CheckpointFolder::remove(const std::vector<std::int64_t>& steps) {
  for (const auto step : steps) {
    verified_.erase(step);
    trash(files_, path_ / step_name(step));
  }
  files_.sync_folder(path_);
  remove_leftovers(files_, path_);
}

bool is_one_checkpoint(const Files& files, const std::filesystem::path& path) {
  return step_in(path) || exists(files, path / Manifest::kFileName);
}

CheckpointFolder checkpoints_of(Files& files, const std::filesystem::path& path) {
  const auto inside = path / "checkpoints";
  return {files, exists(files, inside) ? inside : path};
}

Checkpoint find_checkpoint(Files& files, const std::filesystem::path& path) {
  if (is_one_checkpoint(files, path)) return Checkpoint::open(files, path);
  if (auto newest = checkpoints_of(files, path).newest_intact()) return std::move(*newest);
  throw Error(ExitCode::no_input, printable(path.string()), ": no checkpoint here; ", kNameOne);
}

}  // namespace peerless
