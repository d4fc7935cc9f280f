#include "peerless/generate/generate.h"

#include <gtest/gtest.h>

#include <cmath>

#include "tests/support/models.h"

namespace peerless {
namespace {

using Ids = std::vector<TokenId>;

Ids continuation(LanguageModel& model, Decoding decoding, const Sampling& sampling, std::int64_t count = 30) {
  return generate(
      model, {3, 1, 4, 1, 5}, count, sampling, std::nullopt, [](TokenId) { return true; }, decoding);
}

TEST(Generate, WithTheCacheEqualsFullForwardsTokenForToken) {
  for (const auto& config : {test::small_model(), test::small_peer_model()}) {
    const auto model = test::make_model(config);  // 12 positions: the context is cut on the way
    const Sampling greedy{.temperature = 0};
    EXPECT_EQ(continuation(*model, Decoding::cached, greedy), continuation(*model, Decoding::full, greedy));
    const Sampling drawn{.temperature = 1.5, .seed = 9};
    EXPECT_EQ(continuation(*model, Decoding::cached, drawn), continuation(*model, Decoding::full, drawn));
  }
}

TEST(Generate, GivesTheSameTextForTheSameSeed) {
  const auto model = test::make_model(test::small_model());
  const auto with_seed = [&](std::uint64_t seed) {
    return continuation(*model, Decoding::cached, {.temperature = 1, .seed = seed});
  };
  EXPECT_EQ(with_seed(1), with_seed(1));
  EXPECT_NE(with_seed(1), with_seed(2));
}

TEST(Generate, EndsAtTheStopTokenWhichIsNoText) {
  const auto model = test::make_model(test::small_model());
  const auto free = continuation(*model, Decoding::cached, {.temperature = 1, .seed = 3});
  const TokenId stop = free[7];
  const auto first = std::find(free.begin(), free.end(), stop);
  const auto stopped =
      generate(*model, {3, 1, 4, 1, 5}, 30, {.temperature = 1, .seed = 3}, stop, [](TokenId) { return true; });
  EXPECT_EQ(stopped, Ids(free.begin(), first));
}

TEST(Generate, LeavesTheModelAsItWas) {
  const auto model = test::make_model(test::small_peer_model());
  model->train();
  continuation(*model, Decoding::cached, {});
  EXPECT_TRUE(model->is_training());
  EXPECT_TRUE(at::GradMode::is_enabled());
}

TEST(Sample, TakesTheMostLikelyAndOfEqualsTheLowestId) {
  const std::vector<float> logits{1, 5, 5, 2};
  EXPECT_EQ(sample(logits, {.temperature = 0}, 0), 1);
  EXPECT_EQ(sample(logits, {.temperature = 1, .top_k = 1}, 123), 1);
}

TEST(Sample, DrawsNoIdThatTheTokenizerLacks) {
  const std::vector<float> logits{0, 1, 9, 9};
  EXPECT_EQ(sample(logits, {.temperature = 0, .vocab_size = 2}, 0), 1);
  for (std::uint64_t i = 0; i < 50; ++i) EXPECT_LT(sample(logits, {.vocab_size = 2}, i), 2);
}

TEST(Sample, RefusesWhatIsNoNumber) {
  const std::vector<float> logits{1, std::nanf(""), 2};
  EXPECT_THROW(sample(logits, {.temperature = 0}, 0), Error);
  EXPECT_THROW(sample(logits, {.temperature = 1}, 0), Error);
}

TEST(Sample, DrawsEachTokenAsOftenAsItsProbability) {
  const std::vector<float> logits{std::log(0.1f), std::log(0.2f), std::log(0.7f)};
  const auto shares = [&](const Sampling& sampling) {
    std::vector<double> share(3);
    for (std::uint64_t i = 0; i < 20'000; ++i)
      share[static_cast<std::size_t>(sample(logits, sampling, i))] += 1 / 20'000.0;
    return share;
  };
  const auto all = shares({});
  EXPECT_NEAR(all[0], 0.1, 0.01);
  EXPECT_NEAR(all[2], 0.7, 0.01);
  const auto two = shares({.top_k = 2});
  EXPECT_EQ(two[0], 0);
  EXPECT_NEAR(two[1], 2.0 / 9, 0.01);
  EXPECT_EQ(shares({.top_p = 0.6}), (std::vector<double>{0, 0, shares({.top_p = 0.6})[2]}));
  EXPECT_EQ(shares({.top_p = 0.8})[0], 0);
  EXPECT_GT(shares({.top_p = 0.8})[1], 0.2);
  const auto hot = shares({.temperature = 100});
  EXPECT_NEAR(hot[0], 1.0 / 3, 0.02);
}

}  // namespace
}  // namespace peerless
