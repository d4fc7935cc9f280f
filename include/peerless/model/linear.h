// y = x W^T: a matrix without bias, multiplied in the dtype of x (parameters stay as they are stored).
//
// Shapes   x [..., in], W [out, in] -> y [..., out]
#pragma once

#include "peerless/params/module.h"

namespace peerless {

class Linear final : public Module {
 public:
  Linear(std::int64_t in, std::int64_t out, Role role, Init init, at::TensorOptions options)
      : Module(options), weight_(make_parameter("weight", {out, in}, role, std::move(init))) {}

  at::Tensor forward(const at::Tensor& x) const { return at::linear(x, weight_.to(x.scalar_type())); }

 private:
  at::Tensor weight_;
};

}  // namespace peerless
