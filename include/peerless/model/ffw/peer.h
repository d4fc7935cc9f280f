// PEER: every token picks a few out of N = n^2 experts, each a single neuron, by product keys.
//
//   y         = sum over heads and their K experts of  g_i act(u_i . x) v_i      with GLU: act(u_i . x) (w_i . x) v_i
//   y        += a dense block beside it, when `shared_dense` is given
//
// How i and g are found: ffw/product_key_router.h.
//
// Shapes   x [B, T, D] -> y [B, T, D]; table: one row [u_i | v_i] (GLU: [u_i | w_i | v_i]) per expert, so that an
//          expert is in one place of memory
// Cost     parameters 2 N D (GLU 3 N D) in the table; FLOPs per token 2 H (D d_key + n d_key + 2 K D), so N enters only
//          through n = sqrt(N). Nothing of shape [tokens, heads, K, D] is stored; row gradients go to the table's
//          RowGrad
// Start    u, w N(0, 1/D); v so that the output has the variance of a dense
//          block's, for every score, activation and GLU option
// Source   He 2024, "Mixture of A Million Experts", arXiv:2407.04153, section 2; product keys: Lample et al. 2019,
//          arXiv:1907.05242
// Differs  the paper leaves d_key, the start and the batch norm's evaluation mode open; GLU, other scores and the dense
//          branch are options of ours
#pragma once

#include <optional>

#include "peerless/model/ffw/dense.h"
#include "peerless/model/ffw/product_key_router.h"
#include "peerless/ops/activation.h"

namespace peerless {

class Peer;

struct PeerConfig {
  using Block = Peer;
  static constexpr std::string_view kind = "peer";

  std::int64_t num_experts = 65536;
  std::int64_t heads = 8;
  std::int64_t top_k = 16;
  std::int64_t d_key = 128;
  ProductKeys keys = ProductKeys::shared;
  QueryNormKind query_norm = QueryNormKind::batch;
  RouterScore score = RouterScore::softmax;
  Activation activation = Activation::gelu;
  bool glu = false;
  std::optional<DenseConfig> shared_dense;
  std::optional<std::string> table;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("num_experts", c.num_experts, AtLeast{1}, "single-neuron experts; a square number n * n");
    visit("heads", c.heads, AtLeast{1} && AtMost{1 << 12}, "query heads; each retrieves from the same pool of experts");
    visit("top_k", c.top_k, AtLeast{1}, "experts each head retrieves per token; at most n");
    visit("d_key", c.d_key, AtLeast{2} && MultipleOf{2} && AtMost{1 << 16},
          "width of a head's whole query; each half sees d_key / 2");
    visit("keys", c.keys, Any{}, "one set of sub-keys for all heads, or one per head");
    visit("query_norm", c.query_norm, Any{}, "batch norm over the micro-batch, RMS norm over d_key, or nothing");
    visit("score", c.score, Any{}, "how a head's top_k scores become router weights");
    visit("activation", c.activation, Any{}, "nonlinearity of an expert");
    visit("glu", c.glu, Any{}, "gated experts: a third vector w in each expert's row");
    visit("shared_dense", c.shared_dense, Any{}, "a dense block whose output is added for every token");
    visit("table", c.table, NotEmpty{}, "name of the expert table; layers that give the same name share it");
  }
  void check() const {
    routing().check("num_experts", "experts");
    check_table_name(table);
  }
  ProductKeyRouting routing() const { return {num_experts, heads, top_k, d_key, keys, query_norm, score}; }
  std::int64_t row_width(std::int64_t d_model) const { return (glu ? 3 : 2) * d_model; }
  Cost cost(std::int64_t d_model) const;
  DenseConfig dense_twin(std::int64_t d_model) const { return reference_dense(d_model); }
  std::vector<TableUse> tables(std::int64_t d_model, std::int64_t layer) const;
  static PeerConfig small();
  bool operator==(const PeerConfig&) const = default;
};

class Peer final : public Ffw {
 public:
  Peer(const Build& build, const PeerConfig& config);

  FfwOutput forward(const FfwInput& input) const override;
  void commit(const Stats& stats) override { router_->commit(stats); }
  Figures figures(const Stats& stats) const override;  // usage_figures

 private:
  at::Tensor run_experts(const at::Tensor& x, const at::Tensor& weights, const at::Tensor& experts) const;

  PeerConfig config_;
  Communicator* group_;  // that shares the table; null: none does
  std::shared_ptr<ProductKeyRouter> router_;
  std::shared_ptr<RowTable> table_;
  std::shared_ptr<Dense> shared_dense_;  // null without the branch
};

}  // namespace peerless
