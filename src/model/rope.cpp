#include "peerless/model/rope.h"

#include <torch/types.h>

namespace peerless {

Rope::Rope(std::int64_t head_dim, double theta, std::int64_t max_positions, at::TensorOptions options) {
  const auto exponent = at::arange(0, head_dim, 2, at::kDouble) / static_cast<double>(head_dim);
  const auto frequency = at::pow(theta, -exponent);
  const auto angle = at::outer(at::arange(max_positions, at::kDouble), frequency);
  cos_ = angle.cos().to(options);
  sin_ = angle.sin().to(options);
}

at::Tensor Rope::rotate(const at::Tensor& x, std::int64_t first) const {
  TORCH_CHECK(first + x.size(2) <= max_positions(), "position ", first + x.size(2), " is beyond the ", max_positions(),
              " that the model was built for");
  const auto cos = cos_.narrow(0, first, x.size(2)).to(x.scalar_type());
  const auto sin = sin_.narrow(0, first, x.size(2)).to(x.scalar_type());
  const auto halves = x.chunk(2, -1);
  return at::cat({halves[0] * cos - halves[1] * sin, halves[1] * cos + halves[0] * sin}, -1);
}

}  // namespace peerless
