#include "peerless/model/ffw/experts.h"

#include <array>

#include "peerless/model/initialization.h"
#include "peerless/ops/moe_experts.h"

namespace peerless {

Experts::Experts(const Build& build, std::int64_t num_experts, std::int64_t d_expert, DenseActivation activation,
                 double output_scale)
    : Module(build.options), activation_(activation) {
  const std::array in{num_experts, d_expert, build.d_model}, out{num_experts, build.d_model, d_expert};
  if (gated(activation)) gate_ = make_parameter("gate", in, Role::matrix, matrix_init());
  up_ = make_parameter("up", in, Role::matrix, matrix_init());
  down_ = make_parameter("down", out, Role::matrix, Init::normal(output_scale * residual_std(build.n_layers)));
}

at::Tensor Experts::forward(const at::Tensor& x, const at::Tensor& gates, const at::Tensor& ids) const {
  return moe_experts(x, gates, ids, {gate_, up_, down_}, activation_);
}

}  // namespace peerless
