// What a process of a run holds in memory, said before it starts: for `plan`.
//
// Weights, gradients and moments are counted from the model as it is built (on a device without memory), divided as the
// run divides them. What forward keeps is estimated (Cost::kept), rows touched by the expectation for rows drawn
// evenly. Data are read from files that the system may forget, and are not counted.
#pragma once

#include <string>
#include <vector>

#include "peerless/train/run_config.h"

namespace peerless {

struct MemoryPart {
  std::string name;
  double bytes;
};

// Of the one of so many processes that holds most moments, on the CPU. `vocab` as ModelConfig::vocab_of gives it.
// Error(config) where the division does not fit the number of processes.
std::vector<MemoryPart> plan_memory(const RunConfig& config, std::int64_t vocab, std::int64_t processes);

}  // namespace peerless
