// A decoder and its head: the whole model, as training, evaluation and generation use it.
#pragma once

#include "peerless/model/head.h"
#include "peerless/model/transformer.h"

namespace peerless {

struct LanguageModel final : public torch::nn::Module {
  LanguageModel(const ModelConfig& config, std::int64_t vocab, std::int64_t max_positions, at::TensorOptions options,
                at::ScalarType compute, const ShardGroups& groups = {})
      : decoder(register_module("decoder",
                                std::make_shared<Transformer>(config, vocab, max_positions, options, compute, groups))),
        head(register_module(
            "head", std::make_shared<Head>(config, vocab, config.tie_embeddings ? decoder->embedding() : at::Tensor(),
                                           options))) {}

  std::shared_ptr<Transformer> decoder;
  std::shared_ptr<Head> head;
};

}  // namespace peerless
