#include "peerless/checkpoint/save.h"

#include <algorithm>
#include <charconv>
#include <map>
#include <unordered_map>
#include <utility>

#include "peerless/base/log.h"
#include "peerless/checkpoint/checkpoint.h"
#include "peerless/checkpoint/safetensors.h"
#include "src/checkpoint/block_reader.h"

namespace peerless {
namespace {

namespace fs = std::filesystem;

constexpr const char* kTemporary = ".tmp-";
constexpr const char* kTrash = ".trash-";

// A file whose content is hashed on its way to the disk, so that it need not be read again.
class HashedOutput {
 public:
  HashedOutput(Files& files, const fs::path& path, std::uint64_t bytes) : file_(files.create(path)), bytes_(bytes) {
    file_->reserve(bytes);
  }

  // In chunks small enough to be in the cache still when they are hashed.
  void write(std::span<const std::byte> bytes) {
    while (!bytes.empty()) {
      const auto chunk = bytes.first(std::min<std::uint64_t>(bytes.size(), StoredFile::kBlockBytes - in_block_));
      file_->write(chunk);
      whole_.update(chunk);
      block_.update(chunk);
      in_block_ += chunk.size();
      if (in_block_ == StoredFile::kBlockBytes) end_block();
      bytes = bytes.subspan(chunk.size());
    }
  }

  StoredFile finish(std::string name) {
    if (in_block_ > 0) end_block();
    file_->sync();
    file_->uncache();
    file_->close();
    return {std::move(name), bytes_, whole_.digest(), std::move(blocks_)};
  }

 private:
  void end_block() {
    blocks_.push_back(block_.checksum());
    block_ = Hasher();
    in_block_ = 0;
  }

  std::unique_ptr<OutputFile> file_;
  std::uint64_t bytes_, in_block_ = 0;
  Hasher whole_, block_;
  std::vector<std::uint64_t> blocks_;
};

Manifest assemble(const CheckpointInfo& info, const std::vector<SavedPart>& parts) {
  Manifest manifest{info, {}, {}};
  std::unordered_map<std::string, std::size_t> numbers;
  for (const auto& part : parts) {
    for (const auto& tensor : part.tensors) {
      const auto [at, is_new] = numbers.emplace(tensor.name, manifest.tensors.size());
      if (is_new) manifest.tensors.push_back({tensor.name, tensor.dtype, tensor.shape, {}});
      auto& whole = manifest.tensors[at->second];
      PEERLESS_CHECK(whole.dtype == tensor.dtype && whole.shape == tensor.shape, tensor.name, " differs between parts");
      whole.slices.push_back({manifest.files.size(), tensor.slices.front().box});
    }
    manifest.files.push_back(part.file);
  }
  for (const auto& tensor : manifest.tensors) {
    std::vector<Box> boxes;
    for (const auto& slice : tensor.slices) boxes.push_back(slice.box);
    PEERLESS_CHECK(tile(tensor.shape, boxes), tensor.name, ": the slices saved do not tile the tensor");
  }
  return manifest;
}

std::uint64_t sum(const std::vector<std::string>& sizes) {
  std::uint64_t bytes = 0;
  for (std::size_t rank = 0; rank < sizes.size(); ++rank) {
    const auto& text = sizes[rank];
    std::uint64_t size = 0;
    const auto [end, error] = std::from_chars(text.data(), text.data() + text.size(), size);
    if (error != std::errc() || end != text.data() + text.size()) {
      throw Error(ExitCode::peer, "process ", rank, ": expected the size of its state in bytes, got \"", excerpt(text),
                  "\"");
    }
    bytes += size;
  }
  return bytes;
}

std::string part_name(std::int64_t part, std::int64_t parts) {
  return concat("state-", zero_padded(part, 5), "-of-", zero_padded(parts, 5), ".safetensors");
}

// What process 0 is told of all parts.
std::vector<SavedPart> to_parts(const std::vector<std::string>& texts) {
  std::vector<SavedPart> parts;
  const auto count = static_cast<std::int64_t>(texts.size());
  for (std::int64_t rank = 0; rank < count; ++rank) {
    parts.push_back(to_part(texts[static_cast<std::size_t>(rank)], rank));
    const auto& name = parts.back().file.name;
    if (name != part_name(rank, count))
      throw Error(ExitCode::peer, "process ", rank, " wrote ", excerpt(name), ", not ", part_name(rank, count));
  }
  return parts;
}

// When the disk does not give back what was just written, it is the disk that fails: the save may be tried once more.
void read_back(const std::function<void()>& read) {
  try {
    read();
  } catch (const Error& error) {
    throw Error(ExitCode::io, error.what());
  }
}

void write_manifest(Files& files, const fs::path& path, const Manifest& manifest) {
  const auto output = files.create(path);
  output->write(manifest.text());
  output->sync();
  output->uncache();
  output->close();
  read_back([&] { Manifest::parse(read_text(files, path, Manifest::kMaxBytes), path); });
}

bool is_empty_slice(const StateEntry& entry) { return entry.bytes.empty() && !entry.whole(); }

}  // namespace

void remove_leftovers(Files& files, const fs::path& folder) {
  for (const auto& name : files.list(folder)) {
    if (!name.starts_with(kTemporary) && !name.starts_with(kTrash)) continue;
    try {
      remove_tree(files, folder / name);
    } catch (const IoError& error) {
      log::warning(error.what(), "; it stays");
    }
  }
}

void trash(Files& files, const fs::path& checkpoint) {
  const auto target = checkpoint.parent_path() / concat(kTrash, checkpoint.filename());
  remove_tree(files, target);
  files.rename(checkpoint, target);
}

void expect_empty(const Files& files, const fs::path& folder) {
  if (exists(files, folder) && !files.list(folder).empty())
    throw Error(ExitCode::output, printable(folder.string()), ": is not empty; name a new folder");
}

SavedPart write_part(Files& files, const fs::path& temporary, const State& state, int part, int parts) {
  std::vector<StoredTensor> slices;
  std::vector<std::span<const std::byte>> views;
  for (const auto& entry : state.entries()) {
    if (is_empty_slice(entry)) continue;
    slices.push_back({entry.name, entry.dtype, entry.shape, {{0, {entry.offset, entry.extent}}}});
    views.push_back(entry.bytes);
  }
  const auto content = [&](std::size_t number, const WriteBytes& write) { write(views[number]); };
  return write_part(files, temporary, std::move(slices), content, part, parts);
}

SavedPart write_part(Files& files, const fs::path& temporary, std::vector<StoredTensor> slices,
                     const SliceContent& content, int part, int parts) {
  std::vector<safetensors::Tensor> layout;
  for (const auto& slice : slices) layout.push_back({slice.name, slice.dtype, slice.slices.front().box.extent});
  const auto header = safetensors::lay_out(std::move(layout), {{"format", "peerless"}});
  auto name = part_name(part, parts);
  HashedOutput output(files, temporary / name, header.file_size());
  const auto head = safetensors::encode(header);
  output.write(std::as_bytes(std::span(head)));
  for (std::size_t i = 0; i < slices.size(); ++i)
    content(i, [&](std::span<const std::byte> bytes) { output.write(bytes); });
  SavedPart saved{output.finish(name), std::move(slices)};
  read_back([&] {
    const auto written = files.open(temporary / name);
    BlockReader(*written, saved.file, temporary / name).verify();
  });
  return saved;
}

namespace {

// Where a run has begun, what cannot be made or found any more is a disk that fails, not a wrong name.
void together_on_disk(Peers& peers, const std::function<void()>& work) {
  together(peers, [&] {
    try {
      work();
    } catch (const IoError& error) {
      throw Error(ExitCode::io, error.what());
    }
  });
}

// Whether what is there is still this run's to remove.
bool holds(const std::function<void()>& may_commit) {
  try {
    may_commit();
    return true;
  } catch (const Error&) {
    return false;
  }
}

}  // namespace

void save_together(Peers& peers, Files& files, const fs::path& folder, const State& mine, const CheckpointInfo& info,
                   const std::function<void()>& may_commit) {
  const bool leads = peers.rank() == 0;
  Save save(files, folder, info);
  try {
    const auto sizes = peers.collect(std::to_string(mine.size_bytes()));
    together_on_disk(peers, [&] {
      if (!leads) return;
      may_commit();
      save.begin(sum(sizes));
    });
    SavedPart part;
    together_on_disk(peers, [&] {
      part = write_part(files, save.temporary(), mine, static_cast<int>(peers.rank()),
                        static_cast<int>(peers.world_size()));
    });
    const auto texts = peers.collect(to_text(part));
    together_on_disk(peers, [&] {
      if (!leads) return;
      const auto parts = to_parts(texts);
      may_commit();
      save.commit(parts);
    });
  } catch (...) {
    if (leads && holds(may_commit)) save.abandon();
    throw;
  }
}

Save::Save(Files& files, fs::path folder, CheckpointInfo info)
    : files_(files),
      folder_(std::move(folder)),
      info_(std::move(info)),
      temporary_(folder_ / concat(kTemporary, step_name(info_.step), "-", info_.run)) {
  PEERLESS_CHECK(info_.run.find('/') == std::string::npos, "a run's id must fit into a file name: ", info_.run);
}

void Save::begin(std::uint64_t bytes) {
  make_folders(files_, folder_);
  remove_leftovers(files_, folder_);
  const auto free = files_.free_bytes(folder_);
  const auto needed = static_cast<double>(bytes) * 1.1;
  if (static_cast<double>(free) < needed) {
    throw Error(ExitCode::io, printable(folder_.string()), ": the checkpoint of step ", info_.step, " needs ",
                human_bytes(needed), " of disk space, ", human_bytes(static_cast<double>(free)),
                " are free; the checkpoints before it are untouched");
  }
  files_.make_folder(temporary_);
}

void Save::commit(const std::vector<SavedPart>& parts) {
  const auto manifest = assemble(info_, parts);
  write_manifest(files_, temporary_ / Manifest::kFileName, manifest);
  files_.sync_folder(temporary_);
  const auto target = folder_ / step_name(info_.step);
  if (!clear_the_way(target, manifest)) return files_.sync_folder(folder_);
  files_.rename(temporary_, target);
  try {
    files_.sync_folder(folder_);
  } catch (...) {
    take_back(target);
    throw;
  }
}

// What could not be made durable must not be found there by the next attempt, which has to write it anew.
void Save::take_back(const fs::path& target) {
  try {
    files_.rename(target, temporary_);
  } catch (const Error& error) {
    log::warning(error.what(), "; it stays, although it may not survive a loss of power");
  }
}

// Whether the target is free now; false when it holds just what was to be saved.
bool Save::clear_the_way(const fs::path& target, const Manifest& manifest) {
  if (!exists(files_, target)) return true;
  bool intact = false, same = false;
  try {
    const auto there = Checkpoint::open_verified(files_, target);
    intact = true;
    same = there.manifest().files == manifest.files;
  } catch (const Error& error) {
    if (!is_damage(error)) throw;
  }
  if (!intact) {
    trash(files_, target);
    return true;
  }
  if (!same) {
    throw Error(ExitCode::output, printable(target.string()),
                ": another intact checkpoint of this step is here already; remove it to save this one");
  }
  remove_tree(files_, temporary_);
  return false;
}

void Save::abandon() {
  try {
    remove_tree(files_, temporary_);
  } catch (const Error&) {
    // The next save clears it away.
  }
}

}  // namespace peerless
