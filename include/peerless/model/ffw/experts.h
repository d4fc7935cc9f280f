// The experts of a mixture: E dense blocks of one inner width, each matrix of theirs a slice of one parameter.
//
// Shapes   gate (gated activations), up [E, F, D]; down [E, D, F]
#pragma once

#include "peerless/model/ffw/ffw.h"
#include "peerless/ops/activation.h"

namespace peerless {

class Experts final : public Module {
 public:
  // The output matrices start with residual_init times `output_scale`.
  Experts(const Build& build, std::int64_t num_experts, std::int64_t d_expert, DenseActivation activation,
          double output_scale);

  // x [T, D], gates and ids [T, K] -> [T, D]: see ops/moe_experts.h.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids) const;

 private:
  DenseActivation activation_;
  at::Tensor gate_, up_, down_;
};

}  // namespace peerless
