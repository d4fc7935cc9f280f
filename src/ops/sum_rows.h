// Sums of rows by id, on any device.
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

struct RowSums {
  at::Tensor ids;   // [R] ascending
  at::Tensor sums;  // [R, W]
};

// For each id that occurs, the sum of its rows, added in their order: no atomics on any device.
// ids [n] integers, rows [n, W].
RowSums sum_rows(const at::Tensor& ids, const at::Tensor& rows);

}  // namespace peerless
