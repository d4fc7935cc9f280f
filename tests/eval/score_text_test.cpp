#include "peerless/eval/score_text.h"

#include <gtest/gtest.h>

#include "tests/support/models.h"

namespace peerless {
namespace {

constexpr std::int64_t kWindow = 12, kStride = kWindow / 2;

std::vector<TokenId> tokens(std::size_t count) {
  std::vector<TokenId> ids;
  for (std::size_t i = 0; i < count; ++i) ids.push_back(static_cast<TokenId>((7 * i + i * i) % 50));
  return ids;
}

std::vector<float> scores(LanguageModel& model, const std::vector<TokenId>& ids) {
  std::vector<float> all;
  score_tokens(model, ids, [&](std::size_t position, float log_prob) {
    EXPECT_EQ(position, all.size() + 1);
    all.push_back(log_prob);
  });
  return all;
}

// log p(ids[last] | ids[first] ... ids[last - 1]) by one full forward.
double log_probability(LanguageModel& model, const std::vector<TokenId>& ids, std::size_t first, std::size_t last) {
  const torch::NoGradGuard no_grad;
  model.eval();
  const std::vector<std::int64_t> context(ids.begin() + static_cast<std::ptrdiff_t>(first),
                                          ids.begin() + static_cast<std::ptrdiff_t>(last));
  const auto hidden = model.decoder->forward(at::tensor(context, at::kLong).unsqueeze(0)).hidden;
  return model.head->logits(hidden)[0][-1].to(at::kDouble).log_softmax(0)[ids[last]].item<double>();
}

// Where the window begins that token `i` is scored in: the first that reaches it.
std::size_t window_of(std::size_t i) { return i <= kWindow ? 0 : (i - kWindow + kStride - 1) / kStride * kStride; }

TEST(ScoreTokens, EveryTokenOnceWithTheContextOfItsWindow) {
  for (const auto& config : {test::small_model(), test::small_peer_model()}) {
    const auto model = test::make_model(config, 50, kWindow);
    for (const std::size_t count : {2, 3, 12, 13, 14, 18, 19, 25, 26, 60}) {
      const auto ids = tokens(count);
      const auto found = scores(*model, ids);
      ASSERT_EQ(found.size(), count - 1);
      for (std::size_t i = 1; i < count; ++i)
        EXPECT_NEAR(found[i - 1], log_probability(*model, ids, window_of(i), i), 1e-4) << i << " of " << count;
    }
  }
}

TEST(ScoreTokens, ATextOfNothingHasNoScores) {
  const auto model = test::make_model(test::small_model());
  EXPECT_TRUE(scores(*model, tokens(1)).empty());
}

}  // namespace
}  // namespace peerless
