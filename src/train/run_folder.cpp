#include "peerless/train/run_folder.h"

#include <unistd.h>

#include <algorithm>
#include <array>

#include "peerless/base/hash.h"
#include "peerless/base/host.h"
#include "peerless/base/unique_name.h"
#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/train/machine.h"

namespace peerless {
namespace {

namespace fs = std::filesystem;

constexpr const char* kId = "id";
constexpr std::uint64_t kIdLimit = 64;
// What a first start that was cut short may have left, and what follows that.
constexpr const char* kProbe = ".probe-";
constexpr std::array<std::string_view, 5> kOurs = {".lock", ".owner", "owner.", ".id.tmp", kProbe};

bool is_ours(std::string_view name) {
  return std::ranges::any_of(kOurs, [&](auto ours) { return name.starts_with(ours); });
}

void check_free(const Files& files, const fs::path& folder, RunMode mode) {
  if (mode == RunMode::go_on)
    throw Error(ExitCode::no_input, folder,
                ": no run is here to go on with; --from begins a run with a checkpoint of another");
  const auto info = files.info(folder);
  if (!info) return;
  if (info->kind != FileInfo::Kind::folder)
    throw Error(ExitCode::output, folder, ": is not a folder; choose another run.name or run.dir");
  for (const auto& name : files.list(folder))
    if (!is_ours(name))
      throw Error(ExitCode::output, folder, ": holds '", printable(name),
                  "', and no run of ours; choose another run.name");
}

FileInfo info_of_new_file(Files& files, const fs::path& folder) {
  const auto file = folder / concat(kProbe, unique_name());
  const auto info = files.create(file)->info();
  files.remove(file);
  return info;
}

// Who else may write into it can put links and files of his in the place of the run's. Some file systems show one owner
// or one mode for all that is in them: there a file of ours looks the same.
void check_own(Files& files, const fs::path& folder) {
  const auto info = files.info(folder / ".");  // where a link leads
  if (!info || !(info->is_open_to_all || info->is_strangers)) return;
  const auto ours = info_of_new_file(files, folder);
  const bool strangers = info->is_strangers && info->owner != ours.owner;
  const char* const wrong = info->is_open_to_all && !ours.is_open_to_all ? "may be written by all users; chmod o-w it"
                            : strangers                                  ? "belongs to another user; go on as that one"
                                                                         : nullptr;
  if (wrong) throw Error(ExitCode::output, folder, ": ", wrong, ", or choose another run.name or run.dir");
}

}  // namespace

bool is_run(const Files& files, const fs::path& folder) { return exists(files, folder / kId); }

RunFolder RunFolder::opened_by_another(const Files& files, const fs::path& folder, const std::string& id) {
  const auto file = folder / kId;
  if (!exists(files, file) || read_text(files, file, kIdLimit) != id)
    throw Error(ExitCode::output, folder,
                ": is not the folder that process 0 opened; run.dir must be one that all hosts share");
  return {folder, id, nullptr, nullptr};
}

RunFolder RunFolder::open(Files& files, const fs::path& folder, RunMode mode, const Stopped& stopped) {
  try {
    RunFolder taken = take(files, folder, mode, stopped);
    expect_new(files, taken.checkpoints() / "probe");  // hours before the first save
    return taken;
  } catch (const IoError& error) {
    if (error.code() != ExitCode::no_input) throw;
    throw Error(ExitCode::output, error.what());  // what cannot be read here is no input
  }
}

RunFolder RunFolder::take(Files& files, const fs::path& folder, RunMode mode, const Stopped& stopped) {
  const auto id_file = folder / kId;
  if (!is_run(files, folder)) check_free(files, folder, mode);
  make_folders(files, folder);
  check_own(files, folder);
  sync_way_to(files, folder);
  auto lock = std::make_unique<RunLock>(files, folder, boot_id(),
                                        concat("process ", getpid(), " on ", host_name(), " since ", utc_time()),
                                        LockTiming(), stopped);
  auto journal = std::make_unique<Journal>(files, folder / "journal.json");
  if (is_run(files, folder)) {
    if (mode == RunMode::begin && !CheckpointFolder(files, folder / "checkpoints").steps().empty())
      throw Error(ExitCode::output, folder,
                  ": already holds a run; choose another run.name, or go on with it by --resume auto");
    return {folder, Digest::parse(read_text(files, id_file, kIdLimit), id_file.string()).hex(), std::move(lock),
            std::move(journal)};
  }
  const std::string id = unique_name();
  write_atomically(files, id_file, id);
  return {folder, id, std::move(lock), std::move(journal)};
}

}  // namespace peerless
