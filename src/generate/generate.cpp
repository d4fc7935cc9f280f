#include "peerless/generate/generate.h"

#include "peerless/model/evaluation_mode.h"

namespace peerless {
namespace {

// The tokens that the model sees, and what it says after the last.
class Context {
 public:
  Context(LanguageModel& model, std::vector<TokenId> tokens, Decoding decoding)
      : model_(model), tokens_(std::move(tokens)), decoding_(decoding), capacity_(model.decoder->max_positions()) {
    if (std::ssize(tokens_) > capacity_) forget();
    cache_ = model.decoder->make_cache(/*batch=*/1, capacity_);
  }

  void append(TokenId token) {
    tokens_.push_back(token);
    if (std::ssize(tokens_) <= capacity_) return;
    forget();
    cache_.length = 0;
  }

  std::vector<float> next_logits() {
    const std::int64_t seen = decoding_ == Decoding::cached ? cache_.length : 0;
    const std::vector<std::int64_t> fresh(tokens_.begin() + seen, tokens_.end());
    const auto ids = at::tensor(fresh, at::kLong).unsqueeze(0).to(model_.decoder->embedding().device());
    KvCache* cache = decoding_ == Decoding::cached ? &cache_ : nullptr;
    const auto hidden = model_.decoder->forward(ids, /*counted=*/{}, cache).hidden;
    const auto logits = model_.head->logits(hidden.select(1, -1)).to(at::kCPU, at::kFloat).contiguous();
    return {logits.const_data_ptr<float>(), logits.const_data_ptr<float>() + logits.numel()};
  }

 private:
  void forget() { tokens_.erase(tokens_.begin(), tokens_.end() - std::max<std::int64_t>(1, capacity_ / 2)); }

  LanguageModel& model_;
  std::vector<TokenId> tokens_;
  Decoding decoding_;
  std::int64_t capacity_;
  KvCache cache_;
};

}  // namespace

std::vector<TokenId> generate(LanguageModel& model, const std::vector<TokenId>& prompt, std::int64_t max_tokens,
                              const Sampling& sampling, std::optional<TokenId> stop,
                              const std::function<bool(TokenId)>& take, Decoding decoding) {
  TORCH_CHECK(!prompt.empty(), "an empty prompt");
  const EvaluationMode evaluation(model);
  Context context(model, prompt, decoding);
  std::vector<TokenId> made;
  while (std::ssize(made) < max_tokens) {
    const TokenId token = sample(context.next_logits(), sampling, made.size());
    if (token == stop) break;
    made.push_back(token);
    if (!take(token)) break;
    context.append(token);
  }
  return made;
}

}  // namespace peerless
