#include "peerless/model/head.h"

#include "peerless/model/initialization.h"

namespace peerless {

Head::Head(const ModelConfig& config, std::int64_t vocab_size, at::Tensor tied, at::TensorOptions options)
    : Module(options),
      vocab_size_(vocab_size),
      softcap_(config.logit_softcap),
      z_loss_(config.z_loss),
      weight_(tied.defined()
                  ? std::move(tied)
                  : make_parameter("weight", {padded_vocab(vocab_size), config.d_model}, Role::head, matrix_init())) {}

CrossEntropy Head::loss(const at::Tensor& hidden, const at::Tensor& targets, const at::Tensor& mask) const {
  return cross_entropy(hidden.flatten(0, 1), weight_, vocab_size_, targets.flatten(), mask.flatten(),
                       {.logit_softcap = softcap_, .z_loss = z_loss_});
}

at::Tensor Head::token_losses(const at::Tensor& hidden, const at::Tensor& targets) const {
  return peerless::token_losses(hidden.flatten(0, 1), weight_, vocab_size_, targets.flatten(), softcap_)
      .view_as(targets);
}

at::Tensor Head::logits(const at::Tensor& hidden) const {
  const auto logits = at::linear(hidden.to(weight_.scalar_type()), weight_.narrow(0, 0, vocab_size_));
  return softcap_ > 0 ? softcap_ * at::tanh(logits / softcap_) : logits;
}

}  // namespace peerless
