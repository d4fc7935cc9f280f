// How the processes of a run find each other.
//
// Rank 0 serves a key-value store (unless torchrun's agent does, or it is a file), in which all leave the addresses at
// which they listen. On one host everything binds the loopback address; else the address that leads to rank 0's host.
//
// Errors   Error(peer): some did not come within the timeout; Error(config): a host name that does not resolve, an
//          address in use
#pragma once

#include <chrono>
#include <memory>

#include "peerless/dist/communicator.h"
#include "peerless/dist/launch.h"

namespace peerless {

// Joins the processes of a launch, to exchange tensors of the host and of `device`. Later exchanges that take longer
// than `timeout` fail.
std::unique_ptr<Communicator> join(const Launch& launch, at::Device device, std::chrono::milliseconds timeout);

}  // namespace peerless
