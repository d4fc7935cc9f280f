// A communicator over the process groups of LibTorch: gloo for host tensors, NCCL for those on a GPU. The coordinator
// hears of every exchange, so that it knows who is behind; and who is lost, before an exchange fails here.
#pragma once

#include <chrono>
#include <memory>
#include <string>
#include <torch/csrc/distributed/c10d/Backend.hpp>
#include <torch/csrc/distributed/c10d/Store.hpp>

#include "peerless/cluster/client.h"
#include "peerless/cluster/launch.h"
#include "peerless/dist/communicator.h"
#include "peerless/dist/rendezvous.h"

namespace peerless {

using Store = c10::intrusive_ptr<c10d::Store>;
using Backend = c10::intrusive_ptr<c10d::Backend>;

// The client outlives it. Blocks until all have come.
std::unique_ptr<Communicator> process_group(const Store& store, cluster::Client& client, const std::string& address,
                                            const Launch& launch, const JoinOptions& options);

// Listens at `address` alone.
Backend make_gloo(const Store& store, std::int64_t rank, std::int64_t world_size, const std::string& address,
                  std::chrono::milliseconds timeout);
Backend make_nccl(const Store& store, std::int64_t rank, std::int64_t world_size, const std::string& address,
                  std::chrono::milliseconds timeout);

}  // namespace peerless
