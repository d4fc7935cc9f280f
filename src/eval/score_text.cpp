#include "peerless/eval/score_text.h"

#include "peerless/data/scoring_windows.h"
#include "peerless/model/evaluation_mode.h"

namespace peerless {

void score_tokens(LanguageModel& model, std::span<const TokenId> tokens,
                  const std::function<void(std::size_t, float)>& take) {
  const EvaluationMode evaluation(model);
  const auto window = static_cast<std::uint64_t>(model.decoder->max_positions());
  const auto device = model.decoder->embedding().device();
  for (const auto& [begin, score_from, end] :
       scoring_windows(tokens.size(), window, std::max<std::uint64_t>(1, window / 2))) {
    const std::vector<std::int64_t> read(tokens.begin() + static_cast<std::ptrdiff_t>(begin),
                                         tokens.begin() + static_cast<std::ptrdiff_t>(end));
    const auto ids = at::tensor(read, at::kLong).unsqueeze(0).to(device);
    const auto hidden = model.decoder->forward(ids.slice(1, 0, -1)).hidden;
    const auto losses = model.head->token_losses(hidden, ids.slice(1, 1)).flatten().to(at::kCPU).contiguous();
    const float* loss = losses.const_data_ptr<float>();
    for (std::uint64_t i = score_from; i < end; ++i) take(i, -loss[i - begin - 1]);
  }
}

}  // namespace peerless
