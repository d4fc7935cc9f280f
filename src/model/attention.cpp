#include "peerless/model/attention.h"

#include "peerless/model/initialization.h"

namespace peerless {

Attention::Attention(const ModelConfig& config, std::shared_ptr<const Rope> rope, at::TensorOptions options)
    : Module(options),
      head_dim_(config.head_width()),
      groups_(config.n_heads / config.kv_heads()),
      qk_norm_(config.qk_norm),
      rope_(std::move(rope)) {
  const std::int64_t d = config.d_model, q_width = config.n_heads * head_dim_, kv_width = config.kv_heads() * head_dim_;
  const auto matrix = [&](const char* name, std::int64_t in, std::int64_t out, const Init& init) {
    return register_module(name, std::make_shared<Linear>(in, out, Role::matrix, init, options));
  };
  q_ = matrix("q", d, q_width, matrix_init());
  k_ = matrix("k", d, kv_width, matrix_init());
  v_ = matrix("v", d, kv_width, matrix_init());
  o_ = matrix("o", q_width, d, residual_init(config.n_layers));
  if (qk_norm_ == QkNorm::none) return;
  const auto norm = [&](const char* name, std::int64_t full) {
    const std::int64_t width = qk_norm_ == QkNorm::head ? head_dim_ : full;
    return register_module(name, std::make_shared<RmsNorm>(width, config.norm_eps, options));
  };
  q_norm_ = norm("q_norm", q_width);
  k_norm_ = norm("k_norm", kv_width);
}

at::Tensor Attention::heads_of(const at::Tensor& projected, const std::shared_ptr<RmsNorm>& norm) const {
  const auto split = [&](const at::Tensor& flat) { return flat.unflatten(-1, {-1, head_dim_}); };
  switch (qk_norm_) {
    case QkNorm::none:
      return split(projected);
    case QkNorm::head:
      return norm->forward(split(projected));
    case QkNorm::full:
      return split(norm->forward(projected));
  }
  TORCH_CHECK(false, "unknown QK-norm");
}

at::Tensor Attention::forward(const at::Tensor& x, LayerCache* cache, std::int64_t past) const {
  const std::int64_t length = x.size(1);
  const auto q = rope_->rotate(heads_of(q_->forward(x), q_norm_), past).transpose(1, 2);
  auto k = rope_->rotate(heads_of(k_->forward(x), k_norm_), past).transpose(1, 2);
  auto v = v_->forward(x).unflatten(-1, {-1, head_dim_}).transpose(1, 2);
  if (cache) {
    TORCH_CHECK(past == 0 || length == 1, "a cache that holds positions takes one token at a time");
    cache->keys.narrow(2, past, length).copy_(k);
    cache->values.narrow(2, past, length).copy_(v);
    k = cache->keys.narrow(2, 0, past + length);
    v = cache->values.narrow(2, 0, past + length);
  }
  if (groups_ > 1) {
    k = k.repeat_interleave(groups_, 1);
    v = v.repeat_interleave(groups_, 1);
  }
  const bool causal = length > 1;  // one token may see all that is in the cache
  const auto mixed = at::scaled_dot_product_attention(q, k, v, {}, /*dropout_p=*/0.0, causal);
  return o_->forward(mixed.transpose(1, 2).flatten(2));
}

Cost Attention::cost(const ModelConfig& config, std::int64_t seq_len) {
  const std::int64_t dh = config.head_width(), q_width = config.n_heads * dh, kv_width = config.kv_heads() * dh;
  const std::int64_t matrices = config.d_model * (2 * q_width + 2 * kv_width);
  const std::int64_t norms = config.qk_norm == QkNorm::none   ? 0
                             : config.qk_norm == QkNorm::head ? 2 * dh
                                                              : q_width + kv_width;
  // A token at position p scores and sums p + 1 positions: (seq_len + 1) / 2 in the mean.
  const double mixing = 2.0 * static_cast<double>(q_width) * static_cast<double>(seq_len + 1);
  return {.parameters = matrices + norms,
          .active_parameters = matrices + norms,
          .flops = 2.0 * static_cast<double>(matrices) + mixing,
          .kept = static_cast<double>((config.qk_norm == QkNorm::none ? 4 : 6) * q_width)};
}

}  // namespace peerless
