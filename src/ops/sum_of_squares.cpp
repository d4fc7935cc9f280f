#include "peerless/ops/sum_of_squares.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/linalg_vector_norm.h>

#include <algorithm>

#include "src/ops/kernels/sum_of_squares.h"

namespace peerless {

std::vector<double> sums_of_squares(const at::Tensor& contiguous, std::int64_t block) {
  constexpr std::int64_t kElementsAtLeast = 1 << 15;  // of a thread
  TORCH_CHECK(contiguous.is_contiguous(), "sums_of_squares: expected a contiguous tensor, got strides ",
              contiguous.strides());
  const std::int64_t n = contiguous.numel(), num_blocks = (n + block - 1) / block;
  std::vector<double> sums(static_cast<std::size_t>(num_blocks));
  if (!contiguous.is_cpu()) {
    const auto blocks = at::constant_pad_nd(contiguous.view(-1), {0, num_blocks * block - n}).view({num_blocks, block});
    const auto norms = at::linalg_vector_norm(blocks, 2, {1}, false, at::kDouble).square().cpu();
    std::copy_n(norms.const_data_ptr<double>(), num_blocks, sums.begin());
    return sums;
  }
  AT_DISPATCH_FLOATING_TYPES(contiguous.scalar_type(), "sums_of_squares", [&] {
    const scalar_t* const values = contiguous.const_data_ptr<scalar_t>();
    at::parallel_for(0, num_blocks, std::max<std::int64_t>(1, kElementsAtLeast / block),
                     [&](std::int64_t first, std::int64_t last) {
                       for (std::int64_t b = first; b < last; ++b)
                         sums[static_cast<std::size_t>(b)] =
                             kernels::sum_of_squares_of_block(values + b * block, std::min(block, n - b * block));
                     });
  });
  return sums;
}

}  // namespace peerless
