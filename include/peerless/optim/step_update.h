// What a training step does around its backward passes: before them the gradients are cleared; after them come the
// guard, the clipping, the update and the statistics.
//
// A step whose loss or gradient is not finite changes nothing: neither weights nor moments nor running statistics.
#pragma once

#include <functional>
#include <memory>

#include "peerless/optim/config.h"
#include "peerless/optim/optimizer.h"
#include "peerless/params/gradients.h"

namespace peerless {

class StepUpdate {
 public:
  StepUpdate(const ParameterSet& parameters, const OptimConfig& config);

  void begin() { gradients_.clear(); }

  struct Result {
    GradNorms norms;  // before clipping
    bool skipped = false;
  };
  // `commit` applies the statistics of the step to the model; it is not called when the step is skipped.
  Result finish(double lr, double loss, const std::function<void()>& commit);

  const Gradients& gradients() const { return gradients_; }
  NamedTensors named_tensors() const { return optimizer_->named_tensors(); }

 private:
  Gradients gradients_;
  std::unique_ptr<Optimizer> optimizer_;
};

}  // namespace peerless
