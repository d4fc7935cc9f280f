// The AdamW update of a table from its gradient by rows (params/row_grad.h).
//
//   g = grad_scale * gradient          m += (1 - beta1) (g - m)          v += (1 - beta2) (g g - v)
//
//   touched_rows   the rule of torch.optim.SparseAdam: rows without a gradient keep weight and moments to the bit
//                  weight -= lr sqrt(1 - beta2^step) / (1 - beta1^step) * m / (sqrt(v) + eps)
//   dense          the rule of torch.optim.AdamW, all rows
//                  weight -= lr / (1 - beta1^step) * m / (sqrt(v / (1 - beta2^step)) + eps)
//
// In both, weight is first multiplied by 1 - lr weight_decay (in the rows that are updated), and `step` is that of the
// run, not of the row.
//
// Shapes   weight, m, v [N, W] contiguous, of one dtype, float or double, and the gradient of that shape; updated in
//          place
// Cost     reads 4 and writes 3 rows for each row updated; the clip factor goes in as grad_scale, with no pass of its
//          own
// Denormal numbers count as 0, so that moments of rows whose gradient is zero end at zero (on x86 CPUs with
// fused multiply-add; without, they end below 1e-35).
// A graph recorded before an update cannot run backward after it: autograd sees that weight has changed.
// Threads  all of ATen's; an element depends on itself alone
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>

#include "peerless/params/row_grad.h"

namespace peerless {

enum class TableUpdate { touched_rows, dense };

struct RowAdamW {
  TableUpdate update = TableUpdate::touched_rows;
  double lr = 1e-3;
  double beta1 = 0.9;
  double beta2 = 0.999;
  double eps = 1e-8;
  double weight_decay = 0;
  double grad_scale = 1;
  std::int64_t step = 1;  // from 1
};

void row_adamw(const at::Tensor& weight, const at::Tensor& m, const at::Tensor& v, const RowGrad& grad,
               const RowAdamW& options);

namespace plain {
// The same by ATen operators, on any device.
void row_adamw(const at::Tensor& weight, const at::Tensor& m, const at::Tensor& v, const RowGrad& grad,
               const RowAdamW& options);
}  // namespace plain

}  // namespace peerless
