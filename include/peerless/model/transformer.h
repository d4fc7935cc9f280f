// The decoder: token ids to hidden states. The head, which makes losses or logits of them, is a part of its own.
//
//   h = embedding[ids];   h += attention(norm(h)), h += ffw(norm(h)) in every layer;   hidden = norm(h)
//
// Shapes   token_ids [B, T] int64 -> hidden [B, T, D]
// Dtypes   parameters and the residual stream keep their dtype (fp32); the inside of a block computes in `compute`
#pragma once

#include <map>
#include <memory>
#include <string>
#include <vector>

#include "peerless/model/attention.h"
#include "peerless/model/config.h"
#include "peerless/model/recompute.h"

namespace peerless {

struct TransformerOutput {
  at::Tensor hidden;    // [B, T, D], in the compute dtype
  at::Tensor aux_loss;  // scalar, the sum over layers; undefined when no block has one
  Stats stats;          // named "<layer>.<statistic>"
};

class Transformer final : public Module {
 public:
  // `vocab_size` as the tokenizer has it; `max_positions` the longest sequence ever fed.
  Transformer(const ModelConfig& config, std::int64_t vocab_size, std::int64_t max_positions, at::TensorOptions options,
              at::ScalarType compute, const ShardGroups& groups = {});

  // `counted` [B, T] bool: see FfwInput. With a cache, `token_ids` continue what it holds.
  TransformerOutput forward(const at::Tensor& token_ids, const at::Tensor& counted = {}, KvCache* cache = nullptr);

  // In training, keep only what enters each layer, and run it again in the backward pass (model/recompute.h).
  void recompute_layers(bool on) { recompute_ = on; }

  KvCache make_cache(std::int64_t batch, std::int64_t capacity) const;

  // Applies the statistics of one step, summed over its micro-batches and processes.
  void commit(const Stats& stats);
  // "layers.2.usage" and so on, of summed statistics.
  Figures figures(const Stats& stats) const;

  const at::Tensor& embedding() const { return embedding_; }
  std::int64_t max_positions() const { return rope_->max_positions(); }

 private:
  struct Layer {
    std::shared_ptr<RmsNorm> attention_norm, ffw_norm;
    std::shared_ptr<Attention> attention;
    std::shared_ptr<Ffw> ffw;
  };
  class ModelTables;
  PartOutput run(const Layer& layer, const at::Tensor& h, const FfwInput& rest, LayerCache* cache,
                 std::int64_t past) const;

  bool recompute_ = false;
  ModelConfig config_;
  at::ScalarType compute_;
  at::Tensor embedding_;
  std::shared_ptr<const Rope> rope_;
  std::vector<Layer> layers_;
  std::shared_ptr<RmsNorm> final_norm_;
};

}  // namespace peerless
