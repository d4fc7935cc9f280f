// What one thread of the CUDA kernels in pair_rows.cu does: plain functions of host and device, so that tests run each
// of them for every item on the CPU.
#pragma once

#include <cstdint>

#include "src/ops/cuda/host_device.h"

namespace peerless::cuda {

// The rows [column, column + d) of a table [N, width] that T tokens ask for, P each by ids [T, P].
template <class T>
struct PairRows {
  std::int64_t num_chosen;  // P
  std::int64_t width, column, d;
  const std::int32_t* ids;
  const T* table;

  PEERLESS_HOST_DEVICE const T* row(std::int64_t pair) const { return table + ids[pair] * width + column; }
};

// One lane's share of x_t . row(pair), where `lanes` share a pair: x [T, d].
template <class T>
PEERLESS_HOST_DEVICE T pair_dot_share(const PairRows<T>& rows, const T* x, std::int64_t pair, int lane, int lanes) {
  const T* const x_t = x + pair / rows.num_chosen * rows.d;
  const T* const row = rows.row(pair);
  T sum = 0;
  for (std::int64_t i = lane; i < rows.d; i += lanes) sum += x_t[i] * row[i];
  return sum;
}

// Element i of y_t = sum over the token's pairs of weights[pair] * row(pair).
template <class T>
PEERLESS_HOST_DEVICE T pair_sum_element(const PairRows<T>& rows, const T* weights, std::int64_t t, std::int64_t i) {
  T sum = 0;
  for (std::int64_t pair = t * rows.num_chosen; pair < (t + 1) * rows.num_chosen; ++pair)
    sum += weights[pair] * rows.row(pair)[i];
  return sum;
}

// Pairs by row: those of row r are order[starts[r]] ... order[starts[r + 1] - 1], by token.
struct PairsOfRows {
  std::int64_t num_chosen;
  const std::int64_t* order;
  const std::int64_t* starts;
};

// Element i of row r's sum over its pairs of weights[pair] * source_t; source [T, d].
template <class T>
PEERLESS_HOST_DEVICE T row_sum_element(const PairsOfRows& pairs, const T* weights, const T* source, std::int64_t d,
                                       std::int64_t r, std::int64_t i) {
  T sum = 0;
  for (std::int64_t q = pairs.starts[r]; q < pairs.starts[r + 1]; ++q)
    sum += weights[pairs.order[q]] * source[pairs.order[q] / pairs.num_chosen * d + i];
  return sum;
}

}  // namespace peerless::cuda
