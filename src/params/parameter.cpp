#include "peerless/params/parameter.h"

#include <ATen/ops/zeros_like.h>

namespace peerless {

std::vector<std::int64_t> Shard::extent() const {
  auto extent = shape;
  if (is_whole()) return extent;
  auto& cut = extent.at(static_cast<std::size_t>(dim));
  TORCH_CHECK(cut % ways == 0, "a dimension of ", cut, " cannot be cut into ", ways, " equal parts");
  cut /= ways;
  return extent;
}

std::vector<std::int64_t> Shard::offset() const {
  std::vector<std::int64_t> offset(shape.size());
  if (!is_whole()) offset.at(static_cast<std::size_t>(dim)) = index * extent()[static_cast<std::size_t>(dim)];
  return offset;
}

at::Tensor dense_grad(const Parameter& parameter) {
  if (parameter.rows) return parameter.rows->dense();
  const auto& grad = parameter.tensor.grad();
  return grad.defined() ? grad : at::zeros_like(parameter.tensor);
}

}  // namespace peerless
