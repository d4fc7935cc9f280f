// What differs between the configs that two checkpoints were saved with.
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/checkpoint/checkpoint.h"

namespace peerless {

// One line per key that `counts` and differs, sorted by key: "config.train.stop_at: 17 and not set". List elements are
// keys as well: "data.train.0.path".
std::vector<std::string> config_differences(const Checkpoint& a, const Checkpoint& b,
                                            const std::function<bool(std::string_view key)>& counts);

}  // namespace peerless
