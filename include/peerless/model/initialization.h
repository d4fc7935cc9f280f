// How parameters start: matrices N(0, 0.02), those that write into the residual stream divided by sqrt(2 n_layers), and
// the moments that blocks of other kinds need to start with the output variance of a dense block.
#pragma once

#include <cstdint>
#include <functional>

#include "peerless/params/parameter.h"

namespace peerless {

constexpr double kInitStd = 0.02;

inline Init matrix_init() { return Init::normal(kInitStd); }
double residual_std(std::int64_t n_layers);
inline Init residual_init(std::int64_t n_layers) { return Init::normal(residual_std(n_layers)); }

// E[f(z)^2] for z ~ N(0, std^2), by numerical integration.
double second_moment(const std::function<double(double)>& f, double std);

// Activations on plain numbers, for such integrals.
double gelu(double z);
double silu(double z);
double relu(double z);

}  // namespace peerless
