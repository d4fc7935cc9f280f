#include "peerless/model/ffw/dense.h"

#include <cmath>

#include "peerless/model/initialization.h"
#include "peerless/ops/mlp_activation.h"

namespace peerless {

Cost DenseConfig::cost(std::int64_t d_model) const {
  const std::int64_t width = (gated(activation) ? 3 : 2) * d_ff, weights = width * d_model;
  return {.parameters = weights,
          .active_parameters = weights,
          .flops = 2.0 * static_cast<double>(weights),
          .kept = static_cast<double>(width)};
}

double DenseConfig::output_variance(std::int64_t d_model, std::int64_t n_layers) const {
  const double std = kInitStd * std::sqrt(static_cast<double>(d_model));  // of what enters the nonlinearity
  const double hidden = [&] {
    switch (activation) {
      case DenseActivation::gelu:
        return second_moment(gelu, std);
      case DenseActivation::relu2:
        return second_moment([](double z) { return relu(z) * relu(z); }, std);
      case DenseActivation::swiglu:
        return second_moment(silu, std) * std * std;
      case DenseActivation::geglu:
        return second_moment(gelu, std) * std * std;
    }
    TORCH_CHECK(false, "unknown activation");
  }();
  return static_cast<double>(d_ff) * hidden * residual_std(n_layers) * residual_std(n_layers);
}

Dense::Dense(const Build& build, const DenseConfig& config, double output_scale)
    : Ffw(build.options), activation_(config.activation) {
  const auto matrix = [&](const char* name, std::int64_t in, std::int64_t out, const Init& init) {
    return register_module(name, std::make_shared<Linear>(in, out, Role::matrix, init, build.options));
  };
  if (gated(activation_)) gate_ = matrix("gate", build.d_model, config.d_ff, matrix_init());
  up_ = matrix("up", build.d_model, config.d_ff, matrix_init());
  down_ = matrix("down", config.d_ff, build.d_model, Init::normal(output_scale * residual_std(build.n_layers)));
}

FfwOutput Dense::forward(const FfwInput& input) const {
  const auto gate = gate_ ? gate_->forward(input.x) : at::Tensor();
  return {down_->forward(mlp_activation(activation_, gate, up_->forward(input.x))), {}, {}};
}

}  // namespace peerless
