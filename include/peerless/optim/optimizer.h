// What every optimizer does, and the one that a config names.
#pragma once

#include <memory>

#include "peerless/optim/config.h"
#include "peerless/optim/norms.h"
#include "peerless/params/parameter_set.h"

namespace peerless {

class Optimizer {
 public:
  virtual ~Optimizer() = default;

  // One update of the parts that it was made for, from the gradients that they hold. The norms are finite.
  virtual void step(double lr, const GradNorms& norms) = 0;

  // Its state, named "optim.<...>": with the weights, all that the next update depends on.
  virtual NamedTensors named_tensors() const = 0;
};

std::unique_ptr<Optimizer> make_optimizer(const std::vector<Owned>& parts, const OptimConfig& config);

}  // namespace peerless
