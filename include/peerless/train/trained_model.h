// A model as a checkpoint holds it, with all that is needed to use it: its config and tokenizer.
#pragma once

#include <filesystem>
#include <memory>
#include <string>
#include <vector>

#include "peerless/base/files.h"
#include "peerless/checkpoint/manifest.h"
#include "peerless/model/language_model.h"
#include "peerless/train/run_config.h"

namespace peerless {

struct TrainedModel {
  RunConfig config;
  CheckpointInfo info;
  std::unique_ptr<Tokenizer> tokenizer;
  std::shared_ptr<LanguageModel> model;
};

// `path` is a checkpoint or a run (its newest good one). `overrides` are laid over the config it was saved with:
// data.val, device, tokenizer.model; the architecture must stay. Error(config) when the tokenizer is another one.
TrainedModel open_trained_model(Files& files, const std::filesystem::path& path,
                                const std::vector<std::string>& overrides);

// What training, evaluation and generation share in setting up.
at::Device choose_device(Device device);  // Error(config) when a GPU is asked for and there is none
void set_threads(std::int64_t threads);   // 0: all cores
std::shared_ptr<LanguageModel> build_model(const RunConfig& config, std::int64_t vocab_size, at::Device device);

}  // namespace peerless
