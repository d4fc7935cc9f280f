// PEER as its definition says it: every expert is scored and run for every token. The oracle of the block.
#pragma once

#include "peerless/model/ffw/peer.h"
#include "tests/support/blocks.h"

namespace peerless::test {

inline PeerConfig config_of(std::int64_t n, std::int64_t heads, std::int64_t top_k) {
  PeerConfig config;
  config.num_experts = n * n;
  config.heads = heads;
  config.top_k = top_k;
  config.d_key = 6;
  return config;
}

inline at::Tensor activate(const at::Tensor& z, Activation activation) {
  return activation == Activation::gelu ? at::gelu(z) : activation == Activation::relu ? at::relu(z) : z;
}

// Scores of all experts, in training: [tokens, heads, N].
inline at::Tensor every_score(LoneBlock& block, const PeerConfig& c, const at::Tensor& x) {
  const auto& parameters = block.parameters_of();
  auto q = at::linear(x.flatten(0, 1), parameters.at("ffw.router.query.weight").tensor);
  if (c.query_norm == QueryNormKind::batch) {
    q = (q - q.mean(0)) / (q.var(0, /*unbiased=*/false) + 1e-5).sqrt();
    q = q * parameters.at("ffw.router.query_norm.weight").tensor + parameters.at("ffw.router.query_norm.bias").tensor;
  } else if (c.query_norm == QueryNormKind::rms) {
    const auto heads = q.view({-1, c.heads, c.d_key});
    q = (heads / (heads.square().mean(-1, true) + 1e-5).sqrt()).flatten(1) *
        parameters.at("ffw.router.query_norm.weight").tensor;
  }
  const auto keys = parameters.at("ffw.router.keys").tensor.expand({c.heads, 2, c.routing().n(), c.d_key / 2});
  const auto s = at::einsum("thpc,hpnc->thpn", {q.view({-1, c.heads, 2, c.d_key / 2}), keys});
  return (s.select(2, 0).unsqueeze(-1) + s.select(2, 1).unsqueeze(-2)).flatten(-2);
}

// The best top_k of each head, the lowest id first of equals: ids [tokens, heads, k].
inline at::Tensor best_ids(const at::Tensor& scores, std::int64_t k) {
  return std::get<1>(scores.sort(/*stable=*/true, -1, /*descending=*/true)).narrow(-1, 0, k);
}

inline at::Tensor score_every_expert(LoneBlock& block, const PeerConfig& c, const at::Tensor& x) {
  const auto tokens = x.flatten(0, 1);
  const auto all = every_score(block, c, x);
  const auto ids = best_ids(all, c.top_k);
  const auto best = all.gather(-1, ids);
  const auto g = c.score == RouterScore::softmax   ? best.softmax(-1)
                 : c.score == RouterScore::sigmoid ? best.sigmoid()
                                                   : best.relu();
  const auto weights = at::zeros_like(all).scatter(-1, ids, g).sum(1);  // [tokens, N]
  const auto rows = block.only_table()->weight().view({c.num_experts, -1, x.size(-1)});
  auto hidden = activate(tokens.matmul(rows.select(1, 0).t()), c.activation);
  if (c.glu) hidden = hidden * tokens.matmul(rows.select(1, 1).t());
  return (weights * hidden).matmul(rows.select(1, -1)).view_as(x);
}

// What a forward pass gives, and the gradients of x and of every parameter for a fixed gradient of y.
struct Gradients {
  at::Tensor y;
  std::vector<at::Tensor> of;
};

template <class F>
Gradients gradients(LoneBlock& block, const at::Tensor& x, F&& forward) {
  auto leaf = x.detach().clone().requires_grad_();
  const auto parameters = block.parameters_of();
  for (const auto& p : parameters.parameters()) {
    if (p.rows) p.rows->clear();
    p.tensor.mutable_grad() = at::Tensor();
  }
  const auto y = forward(leaf);
  torch::manual_seed(3);
  (y * torch::randn(y.sizes(), y.options())).sum().backward();
  Gradients result{y.detach(), {leaf.grad()}};
  for (const auto& p : parameters.parameters())  // the reference leaves its table gradient in .grad
    result.of.push_back(p.tensor.grad().defined() ? p.tensor.grad().clone() : dense_grad(p).clone());
  return result;
}

}  // namespace peerless::test
