// The experts of a mixture: E dense blocks of one inner width, each matrix of theirs a slice of one parameter.
//
// Where processes share them (ShardGroups), each holds E / ways whole ones: the rows of a token go to the holders of
// its experts and come back, all in forward, and in backward the other way. No expert has a capacity.
//
// Shapes   gate (gated activations), up [E, F, D]; down [E, D, F]
#pragma once

#include "peerless/model/ffw/ffw.h"
#include "peerless/ops/activation.h"
#include "peerless/ops/exchange.h"

namespace peerless {

class Experts final : public Module {
 public:
  // The output matrices start with residual_init times `output_scale`.
  Experts(const Build& build, std::int64_t num_experts, std::int64_t d_expert, DenseActivation activation,
          double output_scale);

  // x [T, D], gates and ids [T, K] -> [T, D]: see ops/moe_experts.h.
  at::Tensor forward(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids) const;

 private:
  RowCounts counts_by_holder(const at::Tensor& experts) const;
  // The experts held here, for one choice a row: rows [n, D], experts [n].
  at::Tensor run_here(const at::Tensor& rows, const at::Tensor& experts) const;

  DenseActivation activation_;
  Communicator* group_;     // that shares the experts; null: none does
  std::int64_t held_here_;  // E / ways
  at::Tensor gate_, up_, down_;
};

}  // namespace peerless
