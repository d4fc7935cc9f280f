// The nonlinearities of feed-forward blocks.
#pragma once

#include <array>
#include <string_view>

namespace peerless {

// Of single-neuron experts.
enum class Activation {
  gelu,  // s/2 (1 + erf(s / sqrt 2)), the exact form
  relu,  // max(s, 0)
  none,  // s
};
constexpr std::array<std::string_view, 3> enum_names(Activation) { return {"gelu", "relu", "none"}; }

// Of dense blocks and of the experts of a mixture (ops/mlp_activation.h).
enum class DenseActivation { gelu, relu2, swiglu, geglu };
constexpr std::array<std::string_view, 4> enum_names(DenseActivation) { return {"gelu", "relu2", "swiglu", "geglu"}; }
constexpr bool gated(DenseActivation a) { return a == DenseActivation::swiglu || a == DenseActivation::geglu; }

}  // namespace peerless
