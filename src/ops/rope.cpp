#include "peerless/ops/rope.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/cat.h>
#include <ATen/ops/empty_like.h>
#include <torch/csrc/autograd/custom_function.h>

#include "src/ops/kernels/rope.h"
#include "src/ops/once_differentiable.h"

#ifdef PEERLESS_CUDA
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>

#include "src/ops/cuda/rope.h"
#endif

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kTokensAtLeast = 64;  // of a thread

#ifdef PEERLESS_CUDA
// Of T, by products in C.
template <class T, class C>
void rotate_on_gpu(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction,
                   const at::Tensor& y) {
  const c10::cuda::CUDAGuard guard(x.device());
  const cuda::Rope<C> rope{.length = x.size(1),
                           .heads = x.size(2),
                           .half = x.size(3) / 2,
                           .cos = cos.const_data_ptr<C>(),
                           .sin = sin.const_data_ptr<C>(),
                           .direction = static_cast<C>(direction)};
  cuda::launch_rotate(rope, x.const_data_ptr<T>(), y.mutable_data_ptr<T>(), x.numel() / 2,
                      c10::cuda::getCurrentCUDAStream().stream());
}

at::Tensor rotate_on_gpu(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction) {
  const auto y = at::empty_like(x);
  if (x.scalar_type() == at::kBFloat16)
    rotate_on_gpu<at::BFloat16, float>(x, cos, sin, direction, y);
  else if (x.scalar_type() == at::kFloat)
    rotate_on_gpu<float, float>(x, cos, sin, direction, y);
  else
    rotate_on_gpu<double, double>(x, cos, sin, direction, y);
  return y;
}
#endif

at::Tensor rotate(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin, int direction) {
#ifdef PEERLESS_CUDA
  if (x.is_cuda()) return rotate_on_gpu(x, cos, sin, direction);
#endif
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
#ifdef PEERLESS_CUDA
  const bool takes_x_as_it_is =
      x.scalar_type() == cos.scalar_type() || (x.scalar_type() == at::kBFloat16 && cos.scalar_type() == at::kFloat);
  if (x.is_cuda() && takes_x_as_it_is) return Rope::apply(x.contiguous(), cos.contiguous(), sin.contiguous());
#endif
  if (!x.is_cpu()) return plain::rope(x, cos, sin);
  return Rope::apply(x.to(cos.scalar_type()).contiguous(), cos.contiguous(), sin.contiguous()).to(x.scalar_type());
}

at::Tensor plain::rope(const at::Tensor& x, const at::Tensor& cos, const at::Tensor& sin) {
  const auto halves = x.to(cos.scalar_type()).chunk(2, -1);
  const auto c = cos.unsqueeze(1), s = sin.unsqueeze(1);  // [T, 1, d/2]
  return at::cat({halves[0] * c - halves[1] * s, halves[1] * c + halves[0] * s}, -1).to(x.scalar_type());
}

}  // namespace peerless
