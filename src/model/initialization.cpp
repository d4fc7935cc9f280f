#include "peerless/model/initialization.h"

#include <cmath>
#include <numbers>

namespace peerless {

double residual_std(std::int64_t n_layers) { return kInitStd / std::sqrt(2.0 * static_cast<double>(n_layers)); }

double second_moment(const std::function<double(double)>& f, double std) {
  constexpr int kSteps = 4000;
  constexpr double kReach = 10;  // the normal density beyond ten standard deviations is below 1e-22
  constexpr double kStep = 2 * kReach / kSteps;
  double sum = 0;
  for (int i = 0; i < kSteps; ++i) {
    const double z = -kReach + (i + 0.5) * kStep;
    const double value = f(std * z);
    sum += value * value * std::exp(-z * z / 2);
  }
  return sum * kStep / std::sqrt(2 * std::numbers::pi);
}

double gelu(double z) { return z / 2 * (1 + std::erf(z / std::numbers::sqrt2)); }
double silu(double z) { return z / (1 + std::exp(-z)); }
double relu(double z) { return z > 0 ? z : 0; }

}  // namespace peerless
