// A checkpoint, open for reading.
//
// Opening compares the manifest's digest, the list of files, their sizes, and that each file's header says what the
// manifest says; each block of a file is compared with its checksum before a byte of it is handed out. So nothing that
// was cut, flipped, swapped or mixed reaches a `State`, and who reads a part reads no more than that.
//
// Version  of the manifest, 1: no checksums of blocks are there, so that opening verifies all
// Memory   some MiB; tensors go straight from the file into the views
// Errors   Error(data), "PATH: what is wrong and where", when the checkpoint is damaged, bad sectors included; no_input
//          where there is none; IoError(io) when it cannot be read now, whatever it holds
// Threads  safe to read from many
#pragma once

#include <filesystem>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <utility>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/base/state.h"
#include "peerless/checkpoint/manifest.h"

namespace peerless {

std::string step_name(std::int64_t step);  // of its folder: "step-000000000100"
std::optional<std::int64_t> step_in(
    const std::filesystem::path& path);  // that a folder's name tells; "step-7" does not

// Whether an error of opening one says that it is damaged, and not just out of reach for now or for this version.
bool is_damage(const Error& error);

class BlockReader;

class Checkpoint {
 public:
  // The folder of one step, under any name but another step's.
  static Checkpoint open(const Files& files, const std::filesystem::path& folder);
  // Reads every byte too.
  static Checkpoint open_verified(const Files& files, const std::filesystem::path& folder);

  const std::filesystem::path& path() const { return path_; }
  const Manifest& manifest() const& { return manifest_; }
  Manifest manifest() && { return std::move(manifest_); }  // of a temporary: folder.open(3).manifest().tensors
  const CheckpointInfo& info() const& { return manifest_.info; }
  CheckpointInfo info() && { return std::move(manifest_.info); }
  std::uint64_t size_bytes() const;

  // Fills the views of `state`, whole tensors or slices, whatever the number of processes that saved and that load.
  // All names, dtypes and shapes are compared first: Error(config) leaves every view as it was. The checkpoint may hold
  // no other tensor.
  void load(const State& state) const;
  // The same for a part of it (weights without the optimizer's moments): the checkpoint may hold more.
  void load_some(const State& state) const;

  // The elements in `box` of manifest().tensors[tensor], row-major.
  void read(std::size_t tensor, const Box& box, std::span<std::byte> into) const;

  void verify() const;  // every byte

 private:
  Checkpoint(const Files& files, const std::filesystem::path& folder);

  using Readers = std::vector<BlockReader>;  // of the files
  Readers readers() const;
  void read(const Readers& readers, std::size_t tensor, const Box& box, std::span<std::byte> into) const;
  void check_listing(const Files& files) const;
  void open_files(const Files& files);
  void find_slices();
  std::vector<std::size_t> matches(const State& state) const;

  std::filesystem::path path_;
  Manifest manifest_;
  std::vector<std::unique_ptr<InputFile>> files_;    // as in the manifest
  std::vector<std::vector<std::uint64_t>> offsets_;  // of tensor, slice: where its bytes begin in its file
};

}  // namespace peerless
