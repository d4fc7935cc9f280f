// The expert stage of a mixture: every token runs the few dense blocks chosen for it and adds up what they say.
//
//   y_t = sum over j of gates[t,j] * down_e act(gate_e x_t, up_e x_t)       e = ids[t,j];  act: ops/mlp_activation.h
//
// Dropless: an expert has no capacity, none of its tokens is left out. Experts may be empty, or hold all.
//
// Shapes     T tokens, K experts of a token, E experts, F their inner width, D width of the model
//            x [T,D], gates [T,K], ids [T,K] int64; gate, up [E,F,D], down [E,D,F] -> y [T,D] in x's dtype
// Gradients  of x, gates and the weights, which must be leaves
// Precision  products in x's dtype; weighted sums, and what is added over products, in the weights'
// Cost       2 T K F D FLOPs for each of the two (gated: three) matrices, 2 T K D for the weighted sum; twice that
//            backward
// On CPUs    pairs (token, expert) are sorted by expert; threads take pieces of an expert's tokens as they become free,
//            each a product of its own, so bits depend neither on the number of threads nor on who took what. The
//            products add the weights' gradients to .grad themselves (made when there is none yet): autograd hands none
//            on, so no tensor of the weights' size is written twice. Kept for backward: up x and gate x of all pairs,
//            2 T K F numbers, and their order; while they run, forward holds one tensor of T K D numbers, backward
//            three.
// Elsewhere  plain::moe_experts
// Errors     c10::Error when shapes or dtypes do not fit; ids are trusted
// Source     Gale et al. 2022, "MegaBlocks: Efficient Sparse Training with Mixture-of-Experts", arXiv:2211.15841
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/ops/activation.h"

namespace peerless {

struct ExpertWeights {
  at::Tensor gate;  // undefined where the activation is not gated
  at::Tensor up, down;
};

at::Tensor moe_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids,
                       const ExpertWeights& weights, DenseActivation activation);

namespace plain {
// The same by ATen's grouped matrix product, on any device; autograd keeps x and the outputs of all pairs, of T K D
// numbers each. On GPUs that product has a kernel for bf16 from Hopper on; in other cases ATen waits for the device
// once per product, to learn where experts end. It wants rows of whole 16 bytes: odd widths cost a copy of the weights,
// padded with zeros. Not in float64, which that product does not know.
at::Tensor moe_experts(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids,
                       const ExpertWeights& weights, DenseActivation activation);
}  // namespace plain

}  // namespace peerless
