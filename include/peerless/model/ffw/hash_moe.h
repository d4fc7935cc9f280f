// A mixture whose experts are chosen by a fixed hash of the token id: the control that tells what more parameters are
// worth without any routing.
//
//   y = down_i act(gate_i x, up_i x),   i = hash(token id, layer) mod E
//
// Shapes   x [B, T, D], token ids [B, T] -> y [B, T, D]; experts' matrices [E, F, D], [E, D, F] (ffw/experts.h)
// Cost     parameters E m D F (m: 3 when gated, else 2), of which a token passes m D F; FLOPs twice that,
//          and 2 D of the sum
// Source   Roller et al. 2021, "Hash Layers For Large Sparse Models", arXiv:2106.04426, random hashing
#pragma once

#include "peerless/model/ffw/dense.h"
#include "peerless/model/ffw/experts.h"

namespace peerless {

class HashMoe;

struct HashMoeConfig {
  using Block = HashMoe;
  static constexpr std::string_view kind = "hash_moe";

  std::int64_t num_experts = 8;
  std::int64_t d_expert = 1024;
  DenseActivation activation = DenseActivation::swiglu;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("num_experts", c.num_experts, AtLeast{1} && AtMost{1 << 16}, "experts, each for its share of the vocabulary");
    visit("d_expert", c.d_expert, AtLeast{1} && AtMost{1 << 20}, "inner width of an expert");
    visit("activation", c.activation, Any{}, "nonlinearity of an expert, as of a dense block");
  }
  Cost cost(std::int64_t d_model) const;
  DenseConfig dense_twin(std::int64_t /*d_model*/) const { return {.activation = activation, .d_ff = d_expert}; }
  std::vector<TableUse> tables(std::int64_t /*d_model*/, std::int64_t /*layer*/) const { return {}; }
  std::int64_t chosen() const { return 1; }  // experts of a token
  static HashMoeConfig small() { return {.num_experts = 4, .d_expert = 6}; }
  bool operator==(const HashMoeConfig&) const = default;
};

class HashMoe final : public Ffw {
 public:
  HashMoe(const Build& build, const HashMoeConfig& config);

  FfwOutput forward(const FfwInput& input) const override;
  Figures figures(const Stats& stats) const override;  // load_figures

 private:
  std::int64_t num_experts_, layer_;
  std::shared_ptr<Experts> experts_;
};

// The expert of each token id: [..] int64 -> [..] int64 in [0, num_experts).
at::Tensor hash_experts(const at::Tensor& token_ids, std::int64_t layer, std::int64_t num_experts);

}  // namespace peerless
