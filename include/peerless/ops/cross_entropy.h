// The loss of a language model's head: a matrix product and a softmax cross-entropy, in chunks of tokens, so that the
// logits of a batch never exist.
//
//   z = hidden W[:vocab]^T, with a softcap c: c tanh(z / c)          L = log-sum-exp(z)
//   loss = sum over unmasked tokens of  L - z[target] + z_loss L^2
//
// Rows of W beyond vocab_size (padding) take part in nothing: no probability, no gradient.
//
// Shapes     T tokens, D width, V padded vocabulary: hidden [T, D], W [V, D], targets [T] int64, mask [T] uint8 or bool
// Gradients  of hidden and W. They are computed in the forward pass, chunk by chunk, where gradients are recorded at
//            all: three matrix products a chunk and no second pass over logits. Backward may run once, and scales them
//            in place.
// Precision  logits are multiplied in hidden's dtype where gradients are recorded, else (evaluation) in W's; softmax,
//            the products of gradients and the sums of a chunk in W's dtype, sums over chunks in fp64. The gradient of
//            hidden is rounded to its dtype once. On a GPU the products of gradients take hidden's dtype, and give W's.
// Memory     two chunks of logits, three with softcap; both gradients in W's dtype; in bf16 a copy of W. A chunk is
//            1024 tokens; 512, or at least 256, where their logits would be more than 2^21. On a GPU, at most 2^14
//            tokens and 2^27 logits.
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

struct CrossEntropyOptions {
  double logit_softcap = 0;  // 0: none
  double z_loss = 0;         // coefficient
};

struct CrossEntropy {
  at::Tensor loss;           // scalar fp64, differentiable
  at::Tensor cross_entropy;  // scalar fp64 without gradient: the sum of L - z[target]
  at::Tensor z_loss;         // scalar fp64 without gradient: the coefficient times the sum of L^2
};

CrossEntropy cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                           const at::Tensor& targets, const at::Tensor& mask, const CrossEntropyOptions& options);

// L - z[target] of every token, multiplied in W's dtype: [T] in that, without gradient.
at::Tensor token_losses(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                        const at::Tensor& targets, double logit_softcap);

}  // namespace peerless
