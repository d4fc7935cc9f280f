// Causal self-attention with grouped-query heads.
//
//   q, k, v = x Wq, x Wk, x Wv;  q, k optionally RMS-normed, per head or over the full width, then rotated
//   y = softmax(q k^T / sqrt(head_dim) + causal mask) v  Wo
//
// Shapes   x [B, T, D]; Wq [Hq dh, D], Wk, Wv [Hkv dh, D], Wo [D, Hq dh]; query head i uses key head i / (Hq / Hkv)
// Source   Ainslie et al. 2023, "GQA", arXiv:2305.13245
#pragma once

#include <memory>

#include "peerless/model/config.h"
#include "peerless/model/linear.h"
#include "peerless/model/norm.h"
#include "peerless/model/rope.h"

namespace peerless {

// Keys and values of the positions seen so far, of one layer: [B, Hkv, capacity, dh].
struct LayerCache {
  at::Tensor keys, values;
};

// For generation: what attention needs of the past.
struct KvCache {
  std::vector<LayerCache> layers;
  std::int64_t length = 0;  // positions held
};

class Attention final : public Module {
 public:
  Attention(const ModelConfig& config, std::shared_ptr<const Rope> rope, at::TensorOptions options);

  // With a cache, x holds the positions after its `length`: all of a prompt into an empty cache, or one more token. The
  // cache's length is advanced by the caller, once for all layers.
  at::Tensor forward(const at::Tensor& x, LayerCache* cache, std::int64_t past) const;

  static Cost cost(const ModelConfig& config, std::int64_t seq_len);

 private:
  // [B, T, H dh] -> [B, T, H, dh], normed where the model norms its queries and keys.
  at::Tensor heads_of(const at::Tensor& projected, const std::shared_ptr<RmsNorm>& norm) const;

  std::int64_t head_dim_, groups_;  // groups_: query heads per key head
  QkNorm qk_norm_;
  std::shared_ptr<const Rope> rope_;
  std::shared_ptr<Linear> q_, k_, v_, o_;
  std::shared_ptr<RmsNorm> q_norm_, k_norm_;  // null without QK-norm
};

}  // namespace peerless
