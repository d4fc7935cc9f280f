// How tokens spread over the experts of a mixture.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/model/stats.h"

namespace peerless {

// Pairs (token, expert) by expert: [E] int64, exact. ids [T, K]; `counted` [B, T] bool says which tokens count,
// undefined: all.
at::Tensor count_load(const at::Tensor& ids, const at::Tensor& counted, std::int64_t num_experts);

//   load_max       the fullest expert's load as a multiple of the mean: 1 at balance, at most E
//   load_entropy   entropy of the loads over log E: 1 at balance, 0 when one expert has all
//   load_unused    share of experts without any
Figures load_figures(const at::Tensor& load);

}  // namespace peerless
