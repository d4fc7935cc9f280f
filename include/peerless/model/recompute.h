// Runs a part of a model without keeping what its backward pass needs: backward runs it once more.
//
// The second run gives the same bits, because a part's forward writes no state and draws no random number. Statistics
// are those of the first run. The gradients of the part's parameters are added to their .grad while backward is at the
// part, as autograd itself would do.
//
// Memory   between forward and backward: the part's input
// Cost     one forward more
// Source   Chen et al. 2016, "Training Deep Nets with Sublinear Memory Cost", arXiv:1604.06174
#pragma once

#include <ATen/core/Tensor.h>

#include <functional>

#include "peerless/model/stats.h"

namespace peerless {

struct PartOutput {
  at::Tensor h;         // what the next part begins with
  at::Tensor aux_loss;  // scalar; may be undefined
  Stats stats;
};

// `part` is copied, and called again in backward: what it refers to must live until then. Where no gradient is
// recorded, it is just called.
PartOutput recompute(const std::function<PartOutput(const at::Tensor&)>& part, const at::Tensor& h);

}  // namespace peerless
