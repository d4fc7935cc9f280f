// Rotary position embedding in the half-split layout (element i pairs with element i + head_dim/2), so that exported
// weights need no permutation.
//
//   (a, b) -> (a cos - b sin, b cos + a sin),  angle = position / theta^(2i / head_dim)
//
// Source   Su et al. 2021, "RoFormer", arXiv:2104.09864
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

class Rope {
 public:
  // Angles for positions [0, max_positions).
  Rope(std::int64_t head_dim, double theta, std::int64_t max_positions, at::TensorOptions options);

  // x [B, T, heads, head_dim] at positions [first, first + T).
  at::Tensor rotate(const at::Tensor& x, std::int64_t first) const;

  std::int64_t max_positions() const { return cos_.size(0); }

 private:
  at::Tensor cos_, sin_;  // [max_positions, head_dim/2]
};

}  // namespace peerless
