// A communicator over the process groups of LibTorch: gloo for host tensors, NCCL for those on a GPU.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "peerless/dist/communicator.h"

namespace peerless {

using Store = c10::intrusive_ptr<c10d::Store>;
using Backend = c10::intrusive_ptr<c10d::Backend>;

struct Backends {
  Backend host;    // moves CPU tensors
  Backend device;  // moves those of a GPU; null without one
};

std::unique_ptr<Communicator> process_group(Backends backends, std::chrono::milliseconds timeout);

// Listens at `address` alone (empty: that of this host's name). Blocks until all have come.
Backend make_gloo(const Store& store, std::int64_t rank, std::int64_t world_size, const std::string& address,
                  std::chrono::milliseconds timeout);
Backend make_nccl(const Store& store, std::int64_t rank, std::int64_t world_size, std::chrono::milliseconds timeout);

}  // namespace peerless
