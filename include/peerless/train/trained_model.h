// A model as a checkpoint holds it, with all that is needed to use it: its config and tokenizer.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/checkpoint/manifest.h"
#include "peerless/train/setup.h"

namespace peerless {

struct TrainedModel {
  RunConfig config;
  std::filesystem::path path;  // of the checkpoint
  CheckpointInfo info;
  std::unique_ptr<Tokenizer> tokenizer;
  std::shared_ptr<LanguageModel> model;
};

// `path` is a checkpoint or a run (its newest intact one). `overrides` are laid over the config it was saved with. They
// may change `free_keys` alone, which the caller makes use of: Error(config), also when the tokenizer is another one.
// Error(data) where a weight is not finite, unless that is allowed.
TrainedModel open_trained_model(Files& files, const std::filesystem::path& path,
                                const std::vector<std::string>& overrides, const std::vector<std::string>& free_keys,
                                bool allow_nonfinite);

}  // namespace peerless
