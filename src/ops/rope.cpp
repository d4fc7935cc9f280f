#include "peerless/ops/rope.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "src/ops/kernels/rope.h"
#include "src/ops/once_differentiable.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kTokensAtLeast = 64;  // of a thread

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction) {
  const auto y = at::empty_like(x);
  AT_DISPATCH_FLOATING_TYPES(x.scalar_type(), "rope", [&] {
    const kernels::Rope<scalar_t> rope{.length = x.size(1),
                                       .heads = x.size(2),
                                       .half = x.size(3) / 2,
                                       .cos = cos.const_data_ptr<scalar_t>(),
                                       .sin = sin.const_data_ptr<scalar_t>(),
                                       .direction = static_cast<scalar_t>(direction)};
    at::parallel_for(0, x.size(0) * x.size(1), kTokensAtLeast, [&](std::int64_t first, std::int64_t last) {
      kernels::rotate(rope, x.const_data_ptr<scalar_t>(), y.mutable_data_ptr<scalar_t>(), first, last);
    });
  });
  return y;
}

struct Rope : torch::autograd::Function<Rope> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& cos,
                            const at::Tensor& sin) {
    context->save_for_backward({cos, sin});
    return rotate(x, cos, sin, 1);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("rope");
    const auto saved = context->get_saved_variables();
    return {rotate(grads[0].contiguous(), saved[0], saved[1], -1), {}, {}};
  }
};

}  // namespace

at::Tensor rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  TORCH_CHECK(x.dim() == 4 && cos.dim() == 2 && cos.sizes() == sin.sizes() && cos.size(0) == x.size(1) &&
                  2 * cos.size(1) == x.size(3) && cos.scalar_type() == sin.scalar_type(),
              "rope: expected x [B, T, H, d] and cos, sin [T, d/2], got ", x.sizes(), ", ", cos.sizes(), " and ",
              sin.sizes());
  if (!x.is_cpu()) return plain::rope(x, cos, sin);
  return Rope::apply(x.to(cos.scalar_type()).contiguous(), cos.contiguous(), sin.contiguous()).to(x.scalar_type());
}

at::Tensor plain::rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.to(cos.scalar_type()).chunk(2, -1);
  const auto c = cos.unsqueeze(1), s = sin.unsqueeze(1);  // [T, 1, d/2]
  return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1).to(x.scalar_type());
}

}  // namespace peerless
