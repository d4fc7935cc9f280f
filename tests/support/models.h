// Small language models, initialised.
#pragma once

#include "peerless/model/language_model.h"
#include "peerless/params/parameter_set.h"

namespace peerless::test {

inline ModelConfig small_model() {
  ModelConfig config;
  config.n_layers = 2;
  config.d_model = 16;
  config.n_heads = 4;
  config.n_kv_heads = 2;
  config.ffw = DenseConfig{.activation = DenseActivation::swiglu, .d_ff = 24};
  return config;
}

inline ModelConfig small_peer_model() {
  ModelConfig config = small_model();
  config.layers = {{LayerSet{LayerRange{1, 1}}, PeerConfig::small()}};
  return config;
}

inline std::shared_ptr<LanguageModel> make_model(const ModelConfig& config, std::int64_t vocab_size = 50,
                                                 std::int64_t max_positions = 12, at::ScalarType dtype = at::kFloat,
                                                 at::Device device = at::kCPU, const ShardGroups& groups = {}) {
  auto model = std::make_shared<LanguageModel>(config, vocab_size, max_positions,
                                               at::TensorOptions(dtype).device(device), dtype, groups);
  ParameterSet(*model).initialize(1);
  return model;
}

inline at::Tensor some_ids(std::int64_t batch, std::int64_t length, std::int64_t vocab_size = 50,
                           std::uint64_t seed = 1) {
  torch::manual_seed(static_cast<std::int64_t>(seed));
  return torch::randint(vocab_size, {batch, length}, at::kLong);
}

}  // namespace peerless::test
