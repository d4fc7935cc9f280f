// The architecture: a Llama-style decoder whose feed-forward block is chosen layer by layer.
#pragma once

#include <optional>
#include <vector>

#include "peerless/config/layer_set.h"
#include "peerless/model/ffw/ffw_kinds.h"

namespace peerless {

enum class QkNorm { none, head, full };
constexpr std::array<std::string_view, 3> enum_names(QkNorm) { return {"none", "head", "full"}; }

// Other feed-forward blocks than model.ffw in some layers.
struct LayersConfig {
  LayerSet at;
  FfwConfig ffw;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("at", c.at, NotEmpty{}, "layer numbers, from 0, and ranges: [2, \"4-6\"]");
    visit("ffw", c.ffw, Any{}, "their feed-forward block");
  }
  bool operator==(const LayersConfig&) const = default;
};

// "attention", "ffw: moe, layers 1-27", "table layer2": parameters of tables are in the parts of their names.
struct CostPart {
  std::string name;
  Cost cost;
};

struct ModelConfig {
  std::int64_t n_layers = 4;
  std::int64_t d_model = 256;
  std::optional<std::int64_t> vocab_size;
  std::int64_t n_heads = 4;
  std::optional<std::int64_t> n_kv_heads;
  std::optional<std::int64_t> head_dim;
  double rope_theta = 10000;
  double norm_eps = 1e-5;
  QkNorm qk_norm = QkNorm::none;
  bool tie_embeddings = true;
  double logit_softcap = 0;
  double z_loss = 0;
  FfwConfig ffw;
  std::vector<LayersConfig> layers;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("n_layers", c.n_layers, AtLeast{1} && AtMost{1 << 12}, "decoder layers");
    visit("d_model", c.d_model, AtLeast{1} && AtMost{1 << 17}, "width of the residual stream");
    visit("vocab_size", c.vocab_size, AtLeast{1} && AtMost{1 << 24},
          "token ids of the embedding and head, at least as many as the tokenizer has; unset: as many");
    visit("n_heads", c.n_heads, AtLeast{1} && AtMost{1 << 12}, "query heads");
    visit("n_kv_heads", c.n_kv_heads, AtLeast{1} && AtMost{1 << 12},
          "key and value heads, each shared by n_heads / n_kv_heads query heads; unset: n_heads");
    visit("head_dim", c.head_dim, AtLeast{2} && MultipleOf{2} && AtMost{1 << 12},
          "width of a head; unset: d_model / n_heads");
    visit("rope_theta", c.rope_theta, Above{0}, "base of the rotary position embedding");
    visit("norm_eps", c.norm_eps, Above{0}, "epsilon of the RMS norms");
    visit("qk_norm", c.qk_norm, Any{},
          "RMS norm of queries and keys before the rotation: per head, or over the full width");
    visit("tie_embeddings", c.tie_embeddings, Any{}, "the head uses the embedding's weights");
    visit("logit_softcap", c.logit_softcap, AtLeast{0}, "logits become c tanh(logits / c); 0: as they are");
    visit("z_loss", c.z_loss, AtLeast{0},
          "coefficient of the mean squared log-sum-exp of the logits, added to the loss");
    visit("ffw", c.ffw, Any{}, "the feed-forward block of every layer that model.layers does not name");
    visit("layers", c.layers, Any{}, "layers with another feed-forward block");
  }
  void check() const;

  std::int64_t kv_heads() const { return n_kv_heads.value_or(n_heads); }
  std::int64_t head_width() const { return head_dim.value_or(d_model / n_heads); }
  const FfwConfig& ffw_of(std::int64_t layer) const;
  std::vector<TableUse> tables() const;  // of all layers, each once
  // vocab_size, or where it is unset the tokenizer's; Error(config) when the tokenizer has more.
  std::int64_t vocab_of(std::int64_t tokenizer_vocab) const;
  // Of the whole model, for sequences of seq_len tokens: part by part, and their sum.
  std::vector<CostPart> cost_parts(std::int64_t seq_len, std::int64_t vocab) const;
  Cost cost(std::int64_t seq_len, std::int64_t vocab) const;

  bool operator==(const ModelConfig&) const = default;
};

// The vocabulary as the embedding and head hold it: a multiple of 64. The columns beyond take part in no softmax.
constexpr std::int64_t padded_vocab(std::int64_t vocab_size) { return (vocab_size + 63) / 64 * 64; }

}  // namespace peerless
