#include "peerless/ops/rms_norm.h"

#include <torch/types.h>

namespace peerless {

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const auto wide = x.to(weight.scalar_type());
  const auto scale = (wide.square().mean(-1, /*keepdim=*/true) + eps).rsqrt();
  return (wide * scale * weight).to(x.scalar_type());
}

}  // namespace peerless
