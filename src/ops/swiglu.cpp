#include "peerless/ops/swiglu.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/silu.h>
#include <torch/csrc/autograd/custom_function.h>

#include "src/ops/kernels/swiglu.h"
#include "src/ops/once_differentiable.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kElementsAtLeast = 1 << 14;  // of a thread

struct Swiglu : torch::autograd::Function<Swiglu> {
  static at::Tensor forward(AutogradContext* context, const at::Tensor& gate, const at::Tensor& up) {
    const auto y = at::empty_like(gate);
    AT_DISPATCH_FLOATING_TYPES(gate.scalar_type(), "swiglu", [&] {
      at::parallel_for(0, gate.numel(), kElementsAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::swiglu_forward(gate.const_data_ptr<scalar_t>(), up.const_data_ptr<scalar_t>(),
                                y.mutable_data_ptr<scalar_t>(), first, last);
      });
    });
    context->save_for_backward({gate, up});
    return y;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("swiglu");
    const auto saved = context->get_saved_variables();
    const auto &gate = saved[0], &up = saved[1];
    const auto grad_y = grads[0].contiguous();
    const auto grad_gate = at::empty_like(gate), grad_up = at::empty_like(up);
    AT_DISPATCH_FLOATING_TYPES(gate.scalar_type(), "swiglu_backward", [&] {
      at::parallel_for(0, gate.numel(), kElementsAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::swiglu_backward(gate.const_data_ptr<scalar_t>(), up.const_data_ptr<scalar_t>(),
                                 grad_y.const_data_ptr<scalar_t>(), grad_gate.mutable_data_ptr<scalar_t>(),
                                 grad_up.mutable_data_ptr<scalar_t>(), first, last);
      });
    });
    return {grad_gate, grad_up};
  }
};

}  // namespace

at::Tensor swiglu(const at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type(),
              "swiglu: expected gate and up of one shape and dtype, got ", gate.scalar_type(), " ", gate.sizes(),
              " and ", up.scalar_type(), " ", up.sizes());
  const bool has_kernel = gate.is_cpu() && (gate.scalar_type() == at::kFloat || gate.scalar_type() == at::kDouble);
  if (!has_kernel) return plain::swiglu(gate, up);
  return Swiglu::apply(gate.contiguous(), up.contiguous());
}

at::Tensor plain::swiglu(const at::Tensor& gate, const at::Tensor& up) { return at::silu(gate) * up; }

}  // namespace peerless
