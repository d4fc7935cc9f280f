#include "peerless/ops/cross_entropy.h"

#include <torch/csrc/autograd/custom_function.h>
#include <torch/types.h>

#include <algorithm>

namespace peerless {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::variable_list;

constexpr std::int64_t kChunk = 256;  // tokens whose logits exist at once

// Logits of some tokens, and what their losses need of them.
struct Chunk {
  at::Tensor logits;       // [n, vocab], in the dtype of the parameters
  at::Tensor log_sum_exp;  // [n]
  at::Tensor losses;       // [n]
};

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

class ChunkedCrossEntropy : public torch::autograd::Function<ChunkedCrossEntropy> {
 public:
  static variable_list forward(AutogradContext* context, const at::Tensor& hidden, const at::Tensor& weight,
                               std::int64_t vocab_size, const at::Tensor& targets, const at::Tensor& mask,
                               double softcap, double z_loss, bool wants_gradients) {
    const auto dtype = weight.scalar_type();
    const auto used = weight.narrow(0, 0, vocab_size).to(hidden.scalar_type());
    const CrossEntropyOptions options{softcap, z_loss};
    at::Tensor of_hidden, of_weight;
    if (wants_gradients) {
      of_hidden = at::empty_like(hidden);
      of_weight = at::zeros_like(weight);
    }
    auto sum = at::zeros({}, weight.options().dtype(at::kDouble)), z_sum = sum.clone();
    for (std::int64_t first = 0; first < hidden.size(0); first += kChunk) {
      const std::int64_t n = std::min(kChunk, hidden.size(0) - first);
      const auto some = [&](const at::Tensor& t) { return t.narrow(0, first, n); };
      const auto counts = some(mask).to(dtype);
      const Chunk chunk = forward_chunk(some(hidden), used, some(targets), dtype, softcap);
      sum += (chunk.losses * counts).sum(at::kDouble);
      z_sum += (chunk.log_sum_exp.square() * counts).sum(at::kDouble) * z_loss;
      if (!wants_gradients) continue;
      const auto gradient = gradient_of_logits(chunk, some(targets), counts, options).to(hidden.scalar_type());
      auto into = some(of_hidden);
      at::mm_out(into, gradient, used);
      auto rows = of_weight.narrow(0, 0, vocab_size);
      if (hidden.scalar_type() == dtype)
        rows.addmm_(gradient.t(), some(hidden));
      else
        rows += gradient.t().mm(some(hidden)).to(dtype);
    }
    context->save_for_backward({of_hidden, of_weight});
    context->mark_non_differentiable({sum, z_sum});
    return {sum + z_sum, sum, z_sum};
  }

  static variable_list backward(AutogradContext* context, const variable_list& outer) {
    const auto saved = context->get_saved_variables();
    TORCH_CHECK(saved[0].defined(), "cross_entropy: no gradients were recorded in forward");
    const auto scaled = [&](const at::Tensor& gradient) { return gradient * outer[0].to(gradient.scalar_type()); };
    return {scaled(saved[0]), scaled(saved[1]), {}, {}, {}, {}, {}, {}};
  }
};

}  // namespace

CrossEntropy cross_entropy(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                           const at::Tensor& targets, const at::Tensor& mask, const CrossEntropyOptions& options) {
  TORCH_CHECK(hidden.dim() == 2 && weight.dim() == 2 && hidden.size(1) == weight.size(1), "cross_entropy: hidden ",
              hidden.sizes(), " does not fit weight ", weight.sizes());
  TORCH_CHECK(vocab_size <= weight.size(0), "cross_entropy: ", vocab_size, " ids, but ", weight.size(0),
              " rows of weight");
  const bool wants_gradients = at::GradMode::is_enabled() && (hidden.requires_grad() || weight.requires_grad());
  const auto out = ChunkedCrossEntropy::apply(hidden, weight, vocab_size, targets, mask, options.logit_softcap,
                                              options.z_loss, wants_gradients);
  return {out[0], out[1], out[2]};
}

at::Tensor token_losses(const at::Tensor& hidden, const at::Tensor& weight, std::int64_t vocab_size,
                        const at::Tensor& targets, double logit_softcap) {
  const torch::NoGradGuard no_grad;
  const auto used = weight.narrow(0, 0, vocab_size).to(hidden.scalar_type());
  auto losses = at::empty({hidden.size(0)}, weight.options());
  for (std::int64_t first = 0; first < hidden.size(0); first += kChunk) {
    const std::int64_t n = std::min(kChunk, hidden.size(0) - first);
    const auto chunk = forward_chunk(hidden.narrow(0, first, n), used, targets.narrow(0, first, n),
                                     weight.scalar_type(), logit_softcap);
    losses.narrow(0, first, n).copy_(chunk.losses);
  }
  return losses;
}

}  // namespace peerless
