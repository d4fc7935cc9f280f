// The activations of single-neuron experts.
#pragma once

#include <array>
#include <string_view>

namespace peerless {

enum class Activation {
  gelu,  // s/2 (1 + erf(s / sqrt 2)), the exact form
  relu,  // max(s, 0)
  none,  // s
};
constexpr std::array<std::string_view, 3> enum_names(Activation) { return {"gelu", "relu", "none"}; }

}  // namespace peerless
