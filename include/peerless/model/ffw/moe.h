// A mixture of experts by token choice: a router picks the top_k of E dense blocks for every token. Dropless: experts
// have no capacity, no token is left out.
//
//   z = W x,  p = softmax(z) or sigmoid(z)           the router, over all experts
//   chosen    the K largest of p, or of p + bias when the loss-free balance is on; of equal ones the lowest id
//   g_i       = p_i of the chosen, over their sum when normalize_top_k is set, times route_scale
//   y         = sum over the chosen of g_i down_i act(gate_i x, up_i x)  +  a dense block of the shared experts
//   y         = rms_norm(y) when post_norm is set
//
// In training the loss of a step gets of every layer, each times its coefficient,
//   aux_loss  E / (T K) * sum over experts of (pairs they got) * (mean of p_i over tokens; sigmoid: of p_i / sum p):
//             1 at perfect balance
//   z_loss    mean over tokens of logsumexp(z)^2
// and after a step bias_i += bias_update_rate * sign(mean load - load_i), on the loads of all its tokens: the balance
// costs no gradient.
//
// Written as (num_experts, top_k, d_expert), or as (expansion E, granularity G, d_ff): then num_experts = E G,
// top_k = G, d_expert = d_ff / G, so that at fixed E and d_ff neither parameters nor FLOPs of the experts depend on G.
//
// Shapes   x [B, T, D] -> y [B, T, D]; W [E, D]; experts' matrices [E, F, D], [E, D, F] (ffw/experts.h)
// Cost     parameters E D + E * m D F (m: 3 when gated, else 2), of which a token passes E D + K m D F; FLOPs twice
//          that, and 2 K D of the weighted sum. Shared experts: m D F each.
// Dtypes   the router computes in the parameters' dtype whatever x is: routing stays fp32
// Start    the output has the variance of a dense block of width K F (and the shared experts' part), for every score
//          and normalisation: the experts' output matrices are scaled by what router weights are worth at the start
// Source   Shazeer et al. 2017, arXiv:1701.06538; aux loss: Fedus et al. 2021, arXiv:2101.03961, normalised by T K as
//          in MegaBlocks; z loss: Zoph et al. 2022, arXiv:2202.08906; shared experts: Dai et al. 2024,
//          arXiv:2401.06066; granularity and post_norm: Krajewski et al. 2024, arXiv:2402.07871; bias: Wang et al.
//          2024, arXiv:2408.15664
#pragma once

#include <optional>

#include "peerless/model/ffw/dense.h"
#include "peerless/model/ffw/experts.h"
#include "peerless/model/norm.h"

namespace peerless {

class Moe;

enum class MoeScore { softmax, sigmoid };
constexpr std::array<std::string_view, 2> enum_names(MoeScore) { return {"softmax", "sigmoid"}; }
enum class MoeRoute { learned, balanced };
constexpr std::array<std::string_view, 2> enum_names(MoeRoute) { return {"learned", "balanced"}; }

struct MoeConfig {
  using Block = Moe;
  static constexpr std::string_view kind = "moe";

  std::optional<std::int64_t> num_experts;
  std::optional<std::int64_t> top_k;
  std::optional<std::int64_t> d_expert;
  std::optional<std::int64_t> expansion;
  std::optional<std::int64_t> granularity;
  std::optional<std::int64_t> d_ff;
  DenseActivation activation = DenseActivation::swiglu;
  MoeScore score = MoeScore::softmax;
  std::optional<bool> normalize_top_k;
  double route_scale = 1;
  std::int64_t shared_experts = 0;
  double aux_loss = 0.01;
  double z_loss = 0.001;
  double bias_update_rate = 0;
  bool post_norm = false;
  MoeRoute route = MoeRoute::learned;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("num_experts", c.num_experts, AtLeast{1} && AtMost{1 << 16}, "routed experts");
    visit("top_k", c.top_k, AtLeast{1}, "experts of a token");
    visit("d_expert", c.d_expert, AtLeast{1} && AtMost{1 << 20}, "inner width of an expert");
    visit("expansion", c.expansion, AtLeast{1} && AtMost{1 << 16},
          "parameters of the routed experts as a multiple of a dense block's; with granularity and d_ff, in place of "
          "num_experts, top_k and d_expert");
    visit("granularity", c.granularity, AtLeast{1} && AtMost{1 << 16},
          "how many experts make up one dense block: num_experts is expansion * granularity, top_k is granularity");
    visit("d_ff", c.d_ff, AtLeast{1} && AtMost{1 << 20},
          "inner width of that dense block; an expert's is d_ff / granularity");
    visit("activation", c.activation, Any{}, "nonlinearity of an expert, as of a dense block");
    visit("score", c.score, Any{}, "what the router makes of its logits: shares of all experts, or each by itself");
    visit("normalize_top_k", c.normalize_top_k, Any{},
          "divide the weights of a token's experts by their sum; unset: when there are two or more");
    visit("route_scale", c.route_scale, Above{0}, "factor of the routed experts' weights");
    visit("shared_experts", c.shared_experts, AtLeast{0} && AtMost{1 << 10},
          "experts of the same width that every token runs, beside the routed ones");
    visit("aux_loss", c.aux_loss, AtLeast{0},
          "coefficient of the balance loss, which is 1 at perfect balance; those of all layers add up");
    visit("z_loss", c.z_loss, AtLeast{0}, "coefficient of the mean squared log-sum-exp of the router's logits");
    visit("bias_update_rate", c.bias_update_rate, AtLeast{0},
          "loss-free balance: after each step, experts below the mean load get a bias that much higher, those above "
          "that much lower; 0: no bias");
    visit("post_norm", c.post_norm, Any{}, "RMS norm of the block's output");
    visit("route", c.route, Any{},
          "balanced: experts take turns, whatever the router says: for honest measurements of speed, not for training");
  }
  void check() const;
  // Of both ways to write it.
  std::int64_t experts() const { return num_experts ? *num_experts : *expansion * *granularity; }
  std::int64_t chosen() const { return num_experts ? *top_k : *granularity; }
  std::int64_t width() const { return num_experts ? *d_expert : *d_ff / *granularity; }
  bool normalized() const { return normalize_top_k.value_or(chosen() > 1); }

  Cost cost(std::int64_t d_model) const;
  DenseConfig dense_twin(std::int64_t d_model) const;
  std::vector<TableUse> tables(std::int64_t /*d_model*/, std::int64_t /*layer*/) const { return {}; }
  static MoeConfig small();
  bool operator==(const MoeConfig&) const = default;
};

class Moe final : public Ffw {
 public:
  Moe(const Build& build, const MoeConfig& config);

  FfwOutput forward(const FfwInput& input) const override;
  void commit(const Stats& stats) override;
  Figures figures(const Stats& stats) const override;  // load_figures

 private:
  at::Tensor balance_losses(const at::Tensor& logits, const at::Tensor& scores, const at::Tensor& load) const;

  MoeConfig config_;
  std::shared_ptr<Linear> router_;
  std::shared_ptr<Experts> experts_;
  std::shared_ptr<Dense> shared_experts_;  // null without any
  std::shared_ptr<RmsNorm> post_norm_;     // null without
  at::Tensor bias_;                        // [E]; undefined without
};

}  // namespace peerless
