#include "peerless/ops/row_adamw.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/TensorOperators.h>
#include <ATen/core/grad_mode.h>
#include <ATen/ops/lerp.h>
#include <ATen/ops/tensor.h>

#include <cmath>

#include "src/ops/kernels/row_adamw.h"

namespace peerless {
namespace {

constexpr std::int64_t kRowsAtLeast = 64;  // of a thread

// Where the two rules differ.
struct Rule {
  double step_size;
  double root_scale;
};

Rule rule_of(const RowAdamW& o) {
  const double correction1 = 1 - std::pow(o.beta1, o.step), correction2 = 1 - std::pow(o.beta2, o.step);
  if (o.update == TableUpdate::touched_rows) return {o.lr * std::sqrt(correction2) / correction1, 1};
  return {o.lr / correction1, 1 / std::sqrt(correction2)};
}

void check(const at::Tensor& weight, const at::Tensor& m, const at::Tensor& v, const RowGrad& grad) {
  for (const at::Tensor& t : {m, v, grad.buffer()}) {
    TORCH_CHECK(t.sizes() == weight.sizes() && t.scalar_type() == weight.scalar_type() && t.is_contiguous() &&
                    weight.is_contiguous(),
                "row_adamw: expected weight, moments and gradient alike and contiguous, got ", weight.scalar_type(),
                " ", weight.sizes(), " and ", t.scalar_type(), " ", t.sizes());
  }
}

}  // namespace

void row_adamw(const at::Tensor& weight, const at::Tensor& m, const at::Tensor& v, const RowGrad& grad,
               const RowAdamW& options) {
  if (!weight.is_cpu()) return plain::row_adamw(weight, m, v, grad, options);
  check(weight, m, v, grad);
  for (const at::Tensor& t : {weight, m, v}) t.unsafeGetTensorImpl()->bump_version();  // kernels write past autograd
  AT_DISPATCH_FLOATING_TYPES(weight.scalar_type(), "row_adamw", [&] {
    const auto [step_size, root_scale] = rule_of(options);
    const kernels::AdamW<scalar_t> adamw{.grad_scale = static_cast<scalar_t>(options.grad_scale),
                                         .one_minus_beta1 = static_cast<scalar_t>(1 - options.beta1),
                                         .one_minus_beta2 = static_cast<scalar_t>(1 - options.beta2),
                                         .keep = static_cast<scalar_t>(1 - options.lr * options.weight_decay),
                                         .step_size = static_cast<scalar_t>(step_size),
                                         .root_scale = static_cast<scalar_t>(root_scale),
                                         .eps = static_cast<scalar_t>(options.eps)};
    const kernels::AdamWTable<scalar_t> table{.width = weight.size(1),
                                              .weight = weight.mutable_data_ptr<scalar_t>(),
                                              .m = m.mutable_data_ptr<scalar_t>(),
                                              .v = v.mutable_data_ptr<scalar_t>(),
                                              .grad = grad.buffer().const_data_ptr<scalar_t>()};
    if (options.update == TableUpdate::touched_rows) {
      at::parallel_for(0, grad.size(), kRowsAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::adamw_touched_rows(adamw, table, grad.ids().data(), first, last);
      });
    } else {
      at::parallel_for(0, weight.size(0), kRowsAtLeast, [&](std::int64_t first, std::int64_t last) {
        kernels::adamw_all_rows(adamw, table, grad.slots().data(), first, last);
      });
    }
  });
}

void plain::row_adamw(const at::Tensor& weight, const at::Tensor& m, const at::Tensor& v, const RowGrad& grad,
                      const RowAdamW& options) {
  check(weight, m, v, grad);
  at::NoGradGuard no_grad;
  const auto [step_size, root_scale] = rule_of(options);
  const auto update = [&, step_size = step_size, root_scale = root_scale](const at::Tensor& w, const at::Tensor& m1,
                                                                          const at::Tensor& m2, const at::Tensor& g) {
    m1.lerp_(g, 1 - options.beta1);
    m2.lerp_(g.square(), 1 - options.beta2);
    w.mul_(1 - options.lr * options.weight_decay)
        .addcdiv_(m1, m2.sqrt().mul_(root_scale).add_(options.eps), -step_size);
  };
  if (options.update == TableUpdate::dense) return update(weight, m, v, grad.dense().mul_(options.grad_scale));

  const auto ids =
      at::tensor(at::ArrayRef<std::int32_t>(grad.ids().data(), grad.ids().size()), at::kLong).to(weight.device());
  const auto w_rows = weight.index_select(0, ids), m_rows = m.index_select(0, ids), v_rows = v.index_select(0, ids);
  update(w_rows, m_rows, v_rows, grad.values() * options.grad_scale);
  weight.index_copy_(0, ids, w_rows);
  m.index_copy_(0, ids, m_rows);
  v.index_copy_(0, ids, v_rows);
}

}  // namespace peerless
