#include "peerless/ops/mlp_activation.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <torch/csrc/autograd/custom_function.h>

#include <optional>

#include "src/ops/kernels/mlp_activation.h"
#include "src/ops/mlp_activation.h"
#include "src/ops/once_differentiable.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kElementsAtLeast = 1 << 14;  // of a thread

bool has_kernel(const at::Tensor& up) {
  return up.is_cpu() && (up.scalar_type() == at::kFloat || up.scalar_type() == at::kDouble);
}

struct MlpActivation : torch::autograd::Function<MlpActivation> {
  static at::Tensor forward(AutogradContext* context, std::int64_t activation, const std::optional<at::Tensor>& gate,
                            const at::Tensor& up) {
    context->saved_data["activation"] = activation;
    context->save_for_backward({gate.value_or(at::Tensor()), up});
    const auto h = at::empty_like(up);
    activate(static_cast<DenseActivation>(activation), gate.value_or(at::Tensor()), up, h);
    return h;
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    refuse_double_backward("mlp_activation");
    const auto saved = context->get_saved_variables();
    const auto activation = static_cast<DenseActivation>(context->saved_data["activation"].toInt());
    const auto &gate = saved[0], &up = saved[1];
    const auto grad_gate = gate.defined() ? at::empty_like(gate) : at::Tensor(), grad_up = at::empty_like(up);
    activation_gradients(activation, gate, up, grads[0].contiguous(), grad_gate, grad_up);
    return {{}, grad_gate, grad_up};
  }
};

template <class T>
const T* data_or_null(const at::Tensor& gate) {
  return gate.defined() ? gate.const_data_ptr<T>() : nullptr;
}
template <class T>
T* mutable_data_or_null(const at::Tensor& grad_gate) {
  return grad_gate.defined() ? grad_gate.mutable_data_ptr<T>() : nullptr;
}

}  // namespace

void activate(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up, const at::Tensor& h) {
  if (!has_kernel(up)) {
    h.copy_(plain::mlp_activation(activation, gate, up));
    return;
  }
  AT_DISPATCH_FLOATING_TYPES(up.scalar_type(), "mlp_activation", [&] {
    at::parallel_for(0, up.numel(), kElementsAtLeast, [&](std::int64_t first, std::int64_t last) {
      kernels::mlp_activation_forward(activation, data_or_null<scalar_t>(gate), up.const_data_ptr<scalar_t>(),
                                      h.mutable_data_ptr<scalar_t>(), first, last);
    });
  });
}

void activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                          const at::Tensor& grad_h, const at::Tensor& grad_gate, const at::Tensor& grad_up) {
  if (has_kernel(up)) {
    AT_DISPATCH_FLOATING_TYPES(up.scalar_type(), "mlp_activation_backward", [&] {
      scalar_t* const to_gate = mutable_data_or_null<scalar_t>(grad_gate);
      at::parallel_for(0, up.numel(), kElementsAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::mlp_activation_backward(activation, data_or_null<scalar_t>(gate), up.const_data_ptr<scalar_t>(),
                                         grad_h.const_data_ptr<scalar_t>(), to_gate,
                                         grad_up.mutable_data_ptr<scalar_t>(), first, last);
      });
    });
    return;
  }
  switch (activation) {
    case DenseActivation::gelu:
      grad_up.copy_(at::gelu_backward(grad_h, up));
      return;
    case DenseActivation::relu2:
      grad_up.copy_(grad_h * 2 * at::relu(up));
      return;
    case DenseActivation::swiglu:
      grad_gate.copy_(at::silu_backward(grad_h * up, gate));
      grad_up.copy_(grad_h * at::silu(gate));
      return;
    case DenseActivation::geglu:
      grad_gate.copy_(at::gelu_backward(grad_h * up, gate));
      grad_up.copy_(grad_h * at::gelu(gate));
      return;
  }
  TORCH_CHECK(false, "unknown activation");
}

void weighted_activation_gradients(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up,
                                   const at::Tensor& weight, const at::Tensor& grad_out, const at::Tensor& out,
                                   const at::Tensor& grad_gate, const at::Tensor& grad_up,
                                   const at::Tensor& grad_weight) {
  if (has_kernel(up) && grad_weight.scalar_type() == up.scalar_type()) {
    AT_DISPATCH_FLOATING_TYPES(up.scalar_type(), "weighted_mlp_activation_backward", [&] {
      kernels::weighted_mlp_activation_backward(
          activation, data_or_null<scalar_t>(gate), up.const_data_ptr<scalar_t>(), grad_out.const_data_ptr<scalar_t>(),
          weight.const_data_ptr<scalar_t>(), out.mutable_data_ptr<scalar_t>(),
          mutable_data_or_null<scalar_t>(grad_gate), grad_up.mutable_data_ptr<scalar_t>(),
          grad_weight.mutable_data_ptr<scalar_t>(), up.size(0), up.size(1));
    });
    return;
  }
  const auto column = weight.unsqueeze(1);
  activate(activation, gate, up, out);
  grad_weight.copy_((out * grad_out).sum(1, /*keepdim=*/false, grad_weight.scalar_type()));
  out.mul_(column);
  activation_gradients(activation, gate, up, grad_out.mul_(column), grad_gate, grad_up);
}

at::Tensor mlp_activation(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up) {
  TORCH_CHECK(gate.defined() == gated(activation),
              "mlp_activation: a gate belongs to gated activations, and to them alone");
  TORCH_CHECK(!gate.defined() || (gate.sizes() == up.sizes() && gate.scalar_type() == up.scalar_type()),
              "mlp_activation: expected gate and up of one shape and dtype, got ", gate.scalar_type(), " ",
              gate.sizes(), " and ", up.scalar_type(), " ", up.sizes());
  std::optional<at::Tensor> contiguous_gate;
  if (gate.defined()) contiguous_gate = gate.contiguous();
  return MlpActivation::apply(static_cast<std::int64_t>(activation), contiguous_gate, up.contiguous());
}

at::Tensor plain::mlp_activation(DenseActivation activation, const at::Tensor& gate, const at::Tensor& up) {
  switch (activation) {
    case DenseActivation::gelu:
      return at::gelu(up);
    case DenseActivation::relu2:
      return at::relu(up).square();
    case DenseActivation::swiglu:
      return at::silu(gate) * up;
    case DenseActivation::geglu:
      return at::gelu(gate) * up;
  }
  TORCH_CHECK(false, "unknown activation");
}

}  // namespace peerless
