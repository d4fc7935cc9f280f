#include "peerless/train/run_folder.h"

#include <random>

#include "peerless/base/hash.h"
#include "peerless/base/random.h"

namespace peerless {
namespace {

constexpr const char* kId = "id";

std::string new_id() {
  std::random_device entropy;
  Digest id{mix(entropy(), entropy()), mix(entropy(), entropy())};
  return id.hex();
}

void check_free(const Files& files, const std::filesystem::path& folder) {
  const auto info = files.info(folder);
  if (!info) return;
  if (info->kind != FileInfo::Kind::folder)
    throw Error(ExitCode::output, folder, ": is not a folder; choose another run.name or run.dir");
  const auto names = files.list(folder);
  if (!names.empty())
    throw Error(ExitCode::output, folder, ": holds '", printable(names.front()),
                "', and no run of ours; choose another run.name");
}

}  // namespace

RunFolder RunFolder::open(Files& files, const std::filesystem::path& folder, ResumeMode mode) {
  constexpr std::uint64_t kLimit = 64;
  const auto id_file = folder / kId;
  if (exists(files, id_file)) {
    if (mode == ResumeMode::never)
      throw Error(ExitCode::output, folder,
                  ": already holds a run; choose another run.name, or resume it with --resume auto");
    return {folder, Digest::parse(read_text(files, id_file, kLimit)).hex()};
  }
  check_free(files, folder);
  const std::string id = new_id();
  make_folders(files, folder);
  write_atomically(files, id_file, id);
  return {folder, id};
}

}  // namespace peerless
