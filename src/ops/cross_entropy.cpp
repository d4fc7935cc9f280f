#include "peerless/ops/cross_entropy.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>
#include <bit>

#include "src/ops/once_differentiable.h"
#include "src/ops/pieces.h"

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

// Tokens whose logits exist at once: as many as products need for full speed, fewer where logits would leave the cache.
// A GPU is kept busy by large products alone.
std::int64_t chunk_size(std::int64_t vocab_size, bool on_gpu) {
  const std::uint64_t logits = on_gpu ? 1 << 27 : 1 << 21, at_least = 256, at_most = on_gpu ? 1 << 14 : 1024;
  const auto fit = std::bit_floor(logits / static_cast<std::uint64_t>(vocab_size));
  return static_cast<std::int64_t>(std::clamp(fit, at_least, at_most));
}

void check(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1), "cross_entropy: hidden ",
              hidden.sizes(), " does not fit weight ", weight.sizes());
  TORCH_CHECK(1 <= vocab_size && vocab_size <= weight.size(0), "cross_entropy: ", vocab_size, " ids, but ",
              weight.size(0), " rows of weight");
}

// Logits of some tokens, and what their losses need of them.
struct Chunk {
  at::Tensor logits;       // [n, vocab], in the dtype of the parameters
  at::Tensor log_sum_exp;  // [n]
  at::Tensor losses;       // [n]
};

// hidden and weight of one dtype, the product's.
Chunk forward_chunk(const at::Tensor& hidden, const at::Tensor& weight, const at::Tensor& targets, at::ScalarType dtype,
                    double softcap) {
  auto logits = at::linear(hidden, weight).to(dtype);
  if (softcap > 0) logits.div_(softcap).tanh_().mul_(softcap);
  const auto log_sum_exp = at::logsumexp(logits, 1);
  return {logits, log_sum_exp, log_sum_exp - logits.gather(1, targets.unsqueeze(1)).squeeze(1)};
}

// d loss / d (product of hidden and weight), written over the logits.
at::Tensor gradient_of_logits(Chunk chunk, const at::Tensor& targets, const at::Tensor& mask,
                              const CrossEntropyOptions& options) {
  at::Tensor slope;  // of the softcap
  if (options.logit_softcap > 0) slope = 1 - (chunk.logits / options.logit_softcap).square_();
  auto gradient = chunk.logits.sub_(chunk.log_sum_exp.unsqueeze(1)).exp_();
  if (options.z_loss > 0) gradient.mul_(1 + 2 * options.z_loss * chunk.log_sum_exp.unsqueeze(1));
  gradient.scatter_add_(1, targets.unsqueeze(1), at::full({targets.size(0), 1}, -1, gradient.options()));
  gradient.mul_(mask.unsqueeze(1));
  return slope.defined() ? gradient.mul_(slope) : gradient;
}

// The gradients as forward computes them, both in W's dtype; undefined where none are recorded.
struct Recorded {
  at::Tensor hidden, weight;

  // Adds the part of some tokens: `gradient` [n, vocab] of their logits, `into` their rows of the hidden's gradient.
  void add(const at::Tensor& gradient, const at::Tensor& used, const at::Tensor& some_hidden, at::Tensor into) {
    auto of_used = weight.narrow(0, 0, used.size(0));
    if (gradient.scalar_type() == weight.scalar_type()) {
      at::mm_out(into, gradient, used);
      of_used.addmm_(gradient.t(), some_hidden);
    } else {  // a GPU's narrow products with wide sums
      at::mm_out(into, gradient, used, weight.scalar_type());
      at::addmm_out(of_used, of_used, gradient.t(), some_hidden, weight.scalar_type());
    }
  }
};

struct ChunkedCrossEntropy : torch::autograd::Function<ChunkedCrossEntropy> {
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                               std::int64_t vocab_size, const at::Tensor& targets, const at::Tensor& mask,
                               double softcap, double z_loss, bool wants_gradients) {
    const auto dtype = weight.scalar_type();
    const auto used = weight.narrow(0, 0, vocab_size);
    const auto multiplied_in = wants_gradients ? hidden.scalar_type() : dtype;
    const auto factor = used.to(multiplied_in);
    const auto of_gradients = hidden.is_cuda() ? multiplied_in : dtype;  // what their products are multiplied in
    const auto& factor_of_gradients = of_gradients == dtype ? used : factor;
    const CrossEntropyOptions options{softcap, z_loss};
    Recorded recorded;
    if (wants_gradients) recorded = {at::empty(hidden.sizes(), weight.options()), at::zeros_like(weight)};
    auto sum = at::zeros({}, weight.options().dtype(at::kDouble)), z_sum = sum.clone();
    for_pieces(hidden.size(0), chunk_size(vocab_size, hidden.is_cuda()), [&](std::int64_t first, std::int64_t n) {
      const auto some = [&](const at::Tensor& t) { return t.narrow(0, first, n); };
      const auto counts = some(mask).to(dtype);
      const Chunk chunk = forward_chunk(some(hidden).to(multiplied_in), factor, some(targets), dtype, softcap);
      sum += (chunk.losses * counts).sum(at::kDouble);
      z_sum += (chunk.log_sum_exp.square() * counts).sum(at::kDouble) * z_loss;
      if (!wants_gradients) return;
      recorded.add(gradient_of_logits(chunk, some(targets), counts, options).to(of_gradients), factor_of_gradients,
                   some(hidden).to(of_gradients), some(recorded.hidden));
    });
    context->saved_data["recorded"] = std::vector<at::Tensor>{recorded.hidden, recorded.weight};
    context->saved_data["dtype_of_hidden"] = hidden.scalar_type();
    context->mark_non_differentiable({sum, z_sum});
    return {sum + z_sum, sum, z_sum};
  }

  // Scales what forward recorded where it lies, and hands it on.
  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    refuse_double_backward("cross_entropy");
    const auto recorded = context->saved_data["recorded"].toTensorVector();
    TORCH_CHECK(recorded[0].defined(), "cross_entropy: backward may run once");
    context->saved_data["recorded"] = std::vector<at::Tensor>(2);
    for (auto& gradient : recorded) gradient.mul_(outer[0].to(gradient.scalar_type()));
    const auto grad_hidden = recorded[0].to(context->saved_data["dtype_of_hidden"].toScalarType());
    return {grad_hidden, recorded[1], {}, {}, {}, {}, {}, {}};
  }
};

}  // namespace

CrossEntropy cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                           const at::Tensor& targets, const at::Tensor& mask, const CrossEntropyOptions& options) {
  check(hidden, weight, vocab_size);
  const bool wants_gradients = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  const auto out = ChunkedCrossEntropy::apply(hidden, weight, vocab_size, targets, mask, options.logit_softcap,
                                              options.z_loss, wants_gradients);
  return {out[0], out[1], out[2]};
}

at::Tensor token_losses(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                        const at::Tensor& targets, double logit_softcap) {
  check(hidden, weight, vocab_size);
  const torch::NoGradGuard no_grad;
  const auto used = weight.narrow(0, 0, vocab_size);
  auto losses = at::empty({hidden.size(0)}, weight.options());
  for_pieces(hidden.size(0), chunk_size(vocab_size, hidden.is_cuda()), [&](std::int64_t first, std::int64_t n) {
    const auto chunk = forward_chunk(hidden.narrow(0, first, n).to(weight.scalar_type()), used,
                                     targets.narrow(0, first, n), weight.scalar_type(), logit_softcap);
    losses.narrow(0, first, n).copy_(chunk.losses);
  });
  return losses;
}

}  // namespace peerless
