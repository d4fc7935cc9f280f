// Whether two checkpoints are the same state of the same training, bit for bit.
//
// Compared   the step, every tensor (weights, moments, counters, running statistics: whatever the run saves), the
//            fingerprints of tokenizer and data, and the config. Not the run's id, the program's version, nor the way
//            tensors are cut into files.
// Cost       reads both once more; memory some MiB
#pragma once

#include <string>
#include <vector>

#include "peerless/checkpoint/checkpoint.h"

namespace peerless {

// One line per difference, in the order above; none: identical. For example
//   step: 40 and 39
//   tensor optim.step: 40 and 39
//   tensor layers.0.weight: 3 of 1024 elements differ, by at most 0.25
//   config.train.stop_at: 17 and not set
// `ignored_keys` are the config keys, or sections ("run"), that do not count.
std::vector<std::string> diff(const Checkpoint& a, const Checkpoint& b, const std::vector<std::string>& ignored_keys);

}  // namespace peerless
