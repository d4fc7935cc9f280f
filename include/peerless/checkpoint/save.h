// One save by any number of processes, as a transaction: until commit() returns, nothing that was there has changed,
// and once it has returned the checkpoint survives a kill or a loss of power.
//
//   save_together(peers, files, folder, state, info);     all processes, each with its part of the state
//
// which is
//
//   process 0     Save save(files, folder, info);  save.begin(bytes of all processes)
//   everybody     const auto part = write_part(files, save.temporary(), state, rank, world)
//   process 0     save.commit(all parts)
//
// Protocol (docs/formats/checkpoint.md)   folder/.tmp-step-STEP-RUN/ is made; each part written, hashed on its way,
// synced, read back; MANIFEST.json written, synced, read back; the folder synced, renamed to step-STEP, and its parent
// synced.
//
// Rule     one save at a time in a folder: whoever saves holds the run's lock, so every .tmp-* there is a dead one's.
// Errors   IoError; Error(io) when the disk has too little room, or does not give back what was written; Error(output)
//          when another checkpoint of that step is there. After an error the save is abandoned: nothing of it is ever
//          tried again.
#pragma once

#include <cstdint>
#include <filesystem>
#include <functional>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/base/peers.h"
#include "peerless/base/state.h"
#include "peerless/checkpoint/manifest.h"

namespace peerless {

// What one process wrote: its file, and the slices in it (their `file` is 0).
struct SavedPart {
  StoredFile file;
  std::vector<StoredTensor> tensors;
};

// For process 0, and back there. Error(peer), which names process `rank`, for a text that to_text makes of no part.
std::string to_text(const SavedPart& part);
SavedPart to_part(std::string_view text, std::int64_t rank);

class Save {
 public:
  Save(Files& files, std::filesystem::path folder, CheckpointInfo info);

  const std::filesystem::path& temporary() const { return temporary_; }

  // Clears what dead saves left, sees that the disk has room for `bytes`, makes the temporary folder.
  void begin(std::uint64_t bytes);
  // The slices of all parts must tile their tensors.
  void commit(const std::vector<SavedPart>& parts);
  // Frees the disk space of a save that failed; errors are ignored.
  void abandon();

 private:
  bool clear_the_way(const std::filesystem::path& target, const Manifest& manifest);
  void take_back(const std::filesystem::path& target);

  Files& files_;
  std::filesystem::path folder_;
  CheckpointInfo info_;
  std::filesystem::path temporary_;
};

// Writes part `part` of `parts` into the temporary folder; durable when it returns. Empty slices are left out.
SavedPart write_part(Files& files, const std::filesystem::path& temporary, const State& state, int part, int parts);

// The same of what lies in no memory: `content` is asked for the bytes of one of `slices` after another, row-major, and
// hands them on in pieces of any size.
using WriteBytes = std::function<void(std::span<const std::byte>)>;
using SliceContent = std::function<void(std::size_t slice, const WriteBytes& write)>;
SavedPart write_part(Files& files, const std::filesystem::path& temporary, std::vector<StoredTensor> slices,
                     const SliceContent& content, int part, int parts);

// Saves what all processes hold together; durable when it returns. An error of one is a SharedError of all.
// `may_commit` of rank 0 throws where it may not change the folder any more.
void save_together(
    Peers& peers, Files& files, const std::filesystem::path& folder, const State& mine, const CheckpointInfo& info,
    const std::function<void()>& may_commit = [] {});

// For a checkpoint that is not a run's next one: Error(output) unless the folder is new or empty.
void expect_empty(const Files& files, const std::filesystem::path& folder);

// Removes .tmp-* and .trash-* in a folder of checkpoints.
void remove_leftovers(Files& files, const std::filesystem::path& folder);

// Moves a checkpoint out of sight at once, to be removed with the leftovers.
void trash(Files& files, const std::filesystem::path& checkpoint);

}  // namespace peerless
