// What processes must have alike before they train together: else they would wait for each other for ever, or train
// nonsense.
//
// Errors   SharedError(config): "KEY: VALUE in process 0; ANOTHER in processes 1-2", with what to do about it
#pragma once

#include <string>
#include <utility>
#include <vector>

#include "peerless/base/hash.h"
#include "peerless/dist/communicator.h"
#include "peerless/train/run_config.h"

namespace peerless {

void check_same_program(Communicator& communicator, const std::string& version);
void check_same_device(Communicator& communicator, at::DeviceType device);
void check_same_config(Communicator& communicator, const RunConfig& config);
// Digests by the keys that name the data, which are the same on all.
void check_same_data(Communicator& communicator, const std::vector<std::pair<std::string, Digest>>& data);

}  // namespace peerless
