#include "peerless/params/parameter.h"

#include <ATen/ops/zeros_like.h>

namespace peerless {

const char* name_of(Role role) {
  switch (role) {
    case Role::matrix:
      return "matrix";
    case Role::vector:
      return "vector";
    case Role::embedding:
      return "embedding";
    case Role::head:
      return "head";
    case Role::router:
      return "router";
    case Role::table:
      return "table";
  }
  return "?";
}

at::Tensor dense_grad(const Parameter& parameter) {
  if (parameter.rows) return parameter.rows->dense();
  const auto& grad = parameter.tensor.grad();
  return grad.defined() ? grad : at::zeros_like(parameter.tensor);
}

}  // namespace peerless
