#include "peerless/ops/rms_norm.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/rms_norm.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "src/ops/kernels/rms_norm.h"
#include "src/ops/once_differentiable.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kBlock = 64;  // rows whose part of the weight's gradient is added up by itself

template <class T>
kernels::RmsNorm<T> kernel_arguments(const at::Tensor& x, const at::Tensor& weight, const at::Tensor& inverse_rms,
                                     double eps) {
  return {.d = weight.numel(),
          .eps = static_cast<T>(eps),
          .x = x.const_data_ptr<T>(),
          .weight = weight.const_data_ptr<T>(),
          .inverse_rms = inverse_rms.mutable_data_ptr<T>()};
}

struct RmsNorm : torch::autograd::Function<RmsNorm> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& x, const at::Tensor& weight, double eps) {
    const std::int64_t rows = x.numel() / weight.numel();
    const auto y = at::empty_like(x), inverse_rms = at::empty({rows}, x.options());
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "rms_norm", [&] {
      const auto norm = kernel_arguments<scalar_t>(x, weight, inverse_rms, eps);
      at::parallel_for(0, rows, kBlock, [&](std::int64_t first, std::int64_t last) {
        kernels::rms_norm_forward(norm, y.mutable_data_ptr<scalar_t>(), first, last);
      });
    });
    context->save_for_backward({x, weight, inverse_rms});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("rms_norm");
    const auto saved = context->get_saved_variables();
    const auto &x = saved[0], &weight = saved[1], &inverse_rms = saved[2];
    const auto grad_y = grads[0].contiguous();
    const auto grad_x = at::empty_like(x);
    const std::int64_t d = weight.numel(), rows = inverse_rms.numel(), num_blocks = (rows + kBlock - 1) / kBlock;
    const auto grad_weights = at::zeros({num_blocks, d}, weight.options());
    AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "rms_norm_backward", [&] {
      const auto norm = kernel_arguments<scalar_t>(x, weight, inverse_rms, /*eps=*/0);
      const auto* const grad = grad_y.const_data_ptr<scalar_t>();
      at::parallel_for(0, num_blocks, 1, [&](std::int64_t first, std::int64_t last) {
        for (std::int64_t b = first; b < last; ++b) {
          kernels::rms_norm_backward(norm, grad, grad_x.mutable_data_ptr<scalar_t>(),
                                     grad_weights.mutable_data_ptr<scalar_t>() + b * d, b * kBlock,
                                     std::min((b + 1) * kBlock, rows));
        }
      });
    });
    return {grad_x, grad_weights.sum(0), {}};
  }
};

}  // namespace

at::Tensor rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  TORCH_CHECK(weight.dim() == 1 && x.dim() >= 1 && x.size(-1) == weight.size(0),
              "rms_norm: expected x [..., d] and weight [d], got ", x.sizes(), " and ", weight.sizes());
  if (!x.is_cpu()) return plain::rms_norm(x, weight, eps);
  return RmsNorm::apply(x.to(weight.scalar_type()).contiguous(), weight, eps).to(x.scalar_type());
}

at::Tensor plain::rms_norm(const at::Tensor& x, const at::Tensor& weight, double eps) {
  const auto wide = x.to(weight.scalar_type());
  return at::rms_norm(wide, weight.sizes(), weight, eps).to(x.scalar_type());  // on a GPU one kernel
}

}  // namespace peerless
