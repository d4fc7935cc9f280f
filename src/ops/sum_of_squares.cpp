#include "peerless/ops/sum_of_squares.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/linalg_vector_norm.h>

#include <algorithm>
#include <numeric>
#include <optional>
#include <vector>

#include "src/ops/kernels/sum_of_squares.h"

namespace peerless {

double sum_of_squares(const at::Tensor& contiguous) {
  constexpr std::int64_t kBlock = 4096;
  constexpr std::int64_t kBlocksAtLeast = 8;  // of a thread
  TORCH_CHECK(contiguous.is_contiguous(), "sum_of_squares: expected a contiguous tensor, got strides ",
              contiguous.strides());
  if (!contiguous.is_cpu()) {
    const double norm = at::linalg_vector_norm(contiguous, 2, std::nullopt, false, at::kDouble).item<double>();
    return norm * norm;
  }

  const std::int64_t n = contiguous.numel(), num_blocks = (n + kBlock - 1) / kBlock;
  std::vector<double> sums(static_cast<std::size_t>(num_blocks));
  AT_DISPATCH_FLOATING_TYPES(contiguous.scalar_type(), "sum_of_squares", [&] {
    const scalar_t* const values = contiguous.const_data_ptr<scalar_t>();
    at::parallel_for(0, num_blocks, kBlocksAtLeast, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t b = first; b < last; ++b) {
        sums[b] = kernels::sum_of_squares_of_block(values + b * kBlock, std::min(kBlock, n - b * kBlock));
      }
    });
  });
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace peerless
