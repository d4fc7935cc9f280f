#include "peerless/optim/step_update.h"

#include <cmath>

namespace peerless {

StepUpdate::StepUpdate(const ParameterSet& parameters, const OptimConfig& config)
    : gradients_(parameters), optimizer_(make_optimizer(parameters, config)) {}

StepUpdate::Result StepUpdate::finish(double lr, double loss, const std::function<void()>& commit) {
  Result result{.norms = measure(gradients_)};
  result.skipped = !std::isfinite(loss) || !result.norms.finite();
  if (result.skipped) return result;
  optimizer_->step(lr, result.norms);
  commit();
  return result;
}

}  // namespace peerless
