// The head: hidden states to losses (training, evaluation) or to logits (generation).
//
//   logits = hidden W^T, optionally c tanh(logits / c); only the tokenizer's vocab_size columns exist for any softmax
//   loss   = sum over unmasked tokens of  log-sum-exp(logits) - logit[target]  (+ z_loss * log-sum-exp^2)
//
// The logits of a batch are never stored: the loss works in chunks of tokens (ops/cross_entropy.h).
// Precision  in training the product has hidden's dtype; losses of an evaluation and logits are multiplied in W's
//            (fp32), so that no choice of a token hangs on bf16's rounding
// Shapes   hidden [B, T, D], targets [B, T] int64, mask [B, T] uint8; W [padded vocab, D], the embedding's when tied
#pragma once

#include "peerless/model/config.h"
#include "peerless/ops/cross_entropy.h"
#include "peerless/params/module.h"

namespace peerless {

class Head final : public Module {
 public:
  // `tied`: the embedding whose weights are used; undefined: weights of its own.
  Head(const ModelConfig& config, std::int64_t vocab_size, at::Tensor tied, at::TensorOptions options);

  CrossEntropy loss(const at::Tensor& hidden, const at::Tensor& targets, const at::Tensor& mask) const;
  at::Tensor token_losses(const at::Tensor& hidden, const at::Tensor& targets) const;  // [B, T] fp32, no gradient
  at::Tensor logits(const at::Tensor& hidden) const;  // [..., D] -> [..., vocab_size] fp32

 private:
  std::int64_t vocab_size_;
  double softcap_, z_loss_;
  at::Tensor weight_;
};

}  // namespace peerless
