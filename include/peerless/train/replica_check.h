// Proof that processes which should hold the same parameters do: bits that flip, or an update that goes astray on one
// of them, would else be averaged into the model unseen.
#pragma once

#include "peerless/dist/communicator.h"
#include "peerless/params/tensor_state.h"

namespace peerless {

// Compares the digests of all tensors, and slices, that several processes hold. Of one of more than 64 MiB a check
// covers 64 MiB, drawn by `step`, so that many checks see all of it. Cost: a pass over what is covered.
// Error(internal) names the tensors and the processes that differ.
void check_replicas(Communicator& communicator, const NamedTensors& tensors, std::int64_t step);

}  // namespace peerless
