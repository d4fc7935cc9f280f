#include "peerless/model/recompute.h"

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>
#include <torch/custom_class.h>

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

struct Part : torch::CustomClassHolder {
  explicit Part(std::function<PartOutput(const at::Tensor&)> run_) : run(std::move(run_)) {}

  std::function<PartOutput(const at::Tensor&)> run;
  Stats stats;  // of the first run
};

variable_list results(const PartOutput& out) {
  return out.aux_loss.defined() ? variable_list{out.h, out.aux_loss} : variable_list{out.h};
}

struct Recomputed : torch::autograd::Function<Recomputed> {
  static variable_list forward(AutogradContext* context, const at::Tensor& h, const c10::intrusive_ptr<Part>& part) {
    context->save_for_backward({h});
    context->saved_data["part"] = c10::IValue::make_capsule(part);
    PartOutput out = part->run(h);
    part->stats = std::move(out.stats);
    return results(out);
  }

  static variable_list backward(AutogradContext* context, variable_list grads) {
    const auto part = c10::static_intrusive_pointer_cast<Part>(context->saved_data["part"].toCapsule());
    const auto h = context->get_saved_variables()[0].detach().requires_grad_();
    const at::AutoGradMode enable_grad(true);
    auto outputs = results(part->run(h));
    for (std::size_t i = outputs.size(); i-- > 0;) {  // what nothing came of has no gradient
      if (grads[i].defined()) continue;
      outputs.erase(outputs.begin() + static_cast<std::ptrdiff_t>(i));
      grads.erase(grads.begin() + static_cast<std::ptrdiff_t>(i));
    }
    torch::autograd::backward(outputs, grads);
    return {h.grad(), {}};
  }
};

}  // namespace

PartOutput recompute(const std::function<PartOutput(const at::Tensor&)>& part, const at::Tensor& h) {
  if (!at::GradMode::is_enabled()) return part(h);
  const auto holder = c10::make_intrusive<Part>(part);
  const auto out = Recomputed::apply(h, holder);
  return {out[0], out.size() > 1 ? out[1] : at::Tensor(), std::move(holder->stats)};
}

}  // namespace peerless
