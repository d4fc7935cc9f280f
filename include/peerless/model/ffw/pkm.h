// Product-key memory: every token picks a few out of N = n^2 values by product keys and adds them up by their weights.
//
//   y   = sum over heads and their K values of  g_i v_i          how i and g are found: ffw/product_key_router.h
//   y   = W2 (y * silu(W1 x))                                    with `gate: silu` (Memory+)
//
// Shapes   x [B, T, D] -> y [B, T, D]; table [N, D], one value per row; W1, W2 [D, D]
// Cost     parameters N D in the table; FLOPs per token 2 H (D d_key + n d_key + K D), with the gate 4 D^2 more. Row
//          gradients go to the table's RowGrad; nothing of shape [tokens, heads, K, D] is stored
// Start    values (gated: W2) so that the output has the variance of a dense block's, for every score
// Rate     values are a table: optim.tables gives them a learning rate, decay and clipping of their own
// Source   Lample et al. 2019, arXiv:1907.05242; gate and shared values: Berges et al. 2024, "Memory Layers at Scale",
//          arXiv:2412.09764
#pragma once

#include <optional>

#include "peerless/config/field.h"
#include "peerless/model/ffw/dense.h"
#include "peerless/model/ffw/product_key_router.h"

namespace peerless {

class Pkm;

enum class PkmGate { none, silu };
constexpr std::array<std::string_view, 2> enum_names(PkmGate) { return {"none", "silu"}; }

struct PkmConfig {
  using Block = Pkm;
  static constexpr std::string_view kind = "pkm";

  std::int64_t num_values = 65536;
  std::int64_t heads = 4;
  std::int64_t top_k = 32;
  std::int64_t d_key = 128;
  ProductKeys keys = ProductKeys::per_head;
  QueryNormKind query_norm = QueryNormKind::batch;
  RouterScore score = RouterScore::softmax;
  PkmGate gate = PkmGate::none;
  std::optional<std::string> table;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("num_values", c.num_values, AtLeast{1}, "values of width d_model; a square number n * n");
    visit("heads", c.heads, AtLeast{1} && AtMost{1 << 12}, "query heads; each retrieves from the same values");
    visit("top_k", c.top_k, AtLeast{1}, "values each head retrieves per token; at most n");
    visit("d_key", c.d_key, AtLeast{2} && MultipleOf{2} && AtMost{1 << 16},
          "width of a head's whole query; each half sees d_key / 2");
    visit("keys", c.keys, Any{}, "one set of sub-keys for all heads, or one per head");
    visit("query_norm", c.query_norm, Any{}, "batch norm over the micro-batch, RMS norm over d_key, or nothing");
    visit("score", c.score, Any{}, "how a head's top_k scores become weights");
    visit("gate", c.gate, Any{}, "silu: the sum passes a gate and an output matrix, as in Memory+");
    visit("table", c.table, NotEmpty{}, "name of the value table; layers that give the same name share it");
  }
  void check() const {
    routing().check("num_values", "values");
    check_table_name(table);
  }
  ProductKeyRouting routing() const { return {num_values, heads, top_k, d_key, keys, query_norm, score}; }
  Cost cost(std::int64_t d_model) const;
  DenseConfig dense_twin(std::int64_t d_model) const { return reference_dense(d_model); }
  std::vector<TableUse> tables(std::int64_t d_model, std::int64_t layer) const;
  static PkmConfig small();
  bool operator==(const PkmConfig&) const = default;
};

class Pkm final : public Ffw {
 public:
  Pkm(const Build& build, const PkmConfig& config);

  FfwOutput forward(const FfwInput& input) const override;
  void commit(const Stats& stats) override { router_->commit(stats); }
  Figures figures(const Stats& stats) const override;  // usage_figures

 private:
  at::Tensor sum_values(const at::Tensor& weights, const at::Tensor& ids) const;

  Communicator* group_;  // that shares the table; null: none does
  std::shared_ptr<ProductKeyRouter> router_;
  std::shared_ptr<RowTable> table_;
  std::shared_ptr<Linear> gate_, output_;  // null without a gate
};

}  // namespace peerless
