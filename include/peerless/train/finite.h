// Weights from elsewhere that are no numbers: whoever uses them should hear of it before results do.
#pragma once

#include <filesystem>

#include "peerless/params/tensor_state.h"

namespace peerless {

// Error(data), which names the first of the tensors that holds a NaN or an infinity, and the checkpoint that it is of.
// Reads each tensor once, and copies none.
void check_finite(const NamedTensors& tensors, const std::filesystem::path& checkpoint);

}  // namespace peerless
