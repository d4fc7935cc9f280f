#include "peerless/model/rope.h"

#include <torch/types.h>

#include "peerless/ops/rope.h"

namespace peerless {

Rope::Rope(std::int64_t head_dim, double theta, std::int64_t max_positions, at::TensorOptions options) {
  const auto exponent = at::arange(0, head_dim, 2, at::kDouble) / static_cast<double>(head_dim);
  const auto frequency = at::pow(theta, -exponent);
  const auto angle = at::outer(at::arange(max_positions, at::kDouble), frequency);
  cos_ = angle.cos().to(options);
  sin_ = angle.sin().to(options);
}

at::Tensor Rope::rotate(const at::Tensor& x, std::int64_t first) const {
  const std::int64_t length = x.size(1);
  TORCH_CHECK(first + length <= max_positions(), "position ", first + length, " is beyond the ", max_positions(),
              " that the model was built for");
  return rope(x, cos_.narrow(0, first, length), sin_.narrow(0, first, length));
}

}  // namespace peerless
