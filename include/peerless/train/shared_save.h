// Checkpoints that several processes write together: each a file of its own, with its slices of the optimizer's state
// and some of what all hold alike.
#pragma once

#include <filesystem>

#include "peerless/checkpoint/save.h"
#include "peerless/dist/communicator.h"
#include "peerless/params/tensor_state.h"

namespace peerless {

// Of a process's tensors those that it writes: its slices; of whole ones, which all have, each goes to one process, so
// that all write about as much.
NamedTensors part_to_save(const NamedTensors& tensors, const Communicator& communicator);

// Durable when it returns, on all processes (checkpoint/save.h has the protocol). `mine` is what this one writes.
void save_together(Communicator& communicator, Files& files, const std::filesystem::path& folder, const State& mine,
                   const CheckpointInfo& info);

}  // namespace peerless
