#include "peerless/params/parameter.h"

#include <ATen/ops/zeros_like.h>

namespace peerless {

at::Tensor dense_grad(const Parameter& parameter) {
  if (parameter.rows) return parameter.rows->dense();
  const auto& grad = parameter.tensor.grad();
  return grad.defined() ? grad : at::zeros_like(parameter.tensor);
}

}  // namespace peerless
