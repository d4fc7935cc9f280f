#include "peerless/optim/norms.h"

#include <algorithm>
#include <cmath>

#include "peerless/ops/sum_of_squares.h"

namespace peerless {

bool GradNorms::finite() const { return std::isfinite(dense) && std::isfinite(tables); }

GradNorms measure(const Gradients& gradients) {
  double tables = 0;
  for (const auto& table : gradients.tables()) tables += table->sum_of_squares();
  return {std::sqrt(sum_of_squares(gradients.dense())), std::sqrt(tables)};
}

double clip_factor(double norm, double limit) {
  constexpr double kEps = 1e-6;  // as torch.nn.utils.clip_grad_norm_ has it
  return limit > 0 ? std::min(1.0, limit / (norm + kEps)) : 1.0;
}

}  // namespace peerless
