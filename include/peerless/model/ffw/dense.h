// The dense feed-forward block: every neuron for every token.
//
//   gelu, relu2      y = down(act(up(x)))            relu2 is relu squared
//   swiglu, geglu    y = down(act(gate(x)) * up(x))  act is silu, gelu
//
// Shapes   x [B, T, D] -> y [B, T, D]; up, gate [F, D]; down [D, F]
// Cost     parameters 2 D F, gated 3 D F; FLOPs twice that
// Source   Shazeer 2020, "GLU Variants Improve Transformer", arXiv:2002.05202; relu2: So et al. 2021, arXiv:2109.08668
#pragma once

#include "peerless/config/field.h"
#include "peerless/model/ffw/ffw.h"
#include "peerless/model/linear.h"
#include "peerless/ops/activation.h"

namespace peerless {

class Dense;

struct DenseConfig {
  using Block = Dense;
  static constexpr std::string_view kind = "dense";

  DenseActivation activation = DenseActivation::swiglu;
  std::int64_t d_ff = 1024;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("activation", c.activation, Any{},
          "nonlinearity; swiglu and geglu are gated (three matrices), the others have two");
    visit("d_ff", c.d_ff, AtLeast{1} && AtMost{1 << 20},
          "inner width; gated blocks with 8/3 d_model cost what ungated ones with 4 d_model do");
  }
  Cost cost(std::int64_t d_model) const;
  // The variance of the output's elements at the start, for inputs of unit variance.
  double output_variance(std::int64_t d_model, std::int64_t n_layers) const;
  DenseConfig dense_twin(std::int64_t /*d_model*/) const { return *this; }
  std::vector<TableUse> tables(std::int64_t /*d_model*/, std::int64_t /*layer*/) const { return {}; }
  static DenseConfig small() { return {.activation = DenseActivation::geglu, .d_ff = 6}; }
  bool operator==(const DenseConfig&) const = default;
};

// The dense block that blocks of single neurons and memories are measured by: they start with its output variance.
inline DenseConfig reference_dense(std::int64_t d_model) {
  return {.activation = DenseActivation::gelu, .d_ff = 4 * d_model};
}

class Dense final : public Ffw {
 public:
  // The output matrix starts with residual_init times `output_scale`.
  Dense(const Build& build, const DenseConfig& config, double output_scale = 1);
  FfwOutput forward(const FfwInput& input) const override;

 private:
  DenseActivation activation_;
  std::shared_ptr<Linear> gate_, up_, down_;  // gate_ is null in ungated blocks
};

}  // namespace peerless
