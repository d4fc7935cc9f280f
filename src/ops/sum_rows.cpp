#include "src/ops/sum_rows.h"

#include <ATen/ops/segment_reduce.h>
#include <ATen/ops/sort.h>
#include <ATen/ops/unique_consecutive.h>

#include <tuple>

namespace peerless {

RowSums sum_rows(const at::Tensor& ids, const at::Tensor& rows) {
  const auto [sorted, order] = at::sort(ids, /*stable=*/true, /*dim=*/0, /*descending=*/false);
  const auto [present, inverse, counts] =
      at::unique_consecutive(sorted, /*return_inverse=*/false, /*return_counts=*/true);
  return {present,
          at::segment_reduce(rows.index_select(0, order), "sum", /*lengths=*/counts, /*indices=*/{}, /*offsets=*/{},
                             /*axis=*/0, /*unsafe=*/true)};
}

}  // namespace peerless
