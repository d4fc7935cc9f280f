#include "peerless/data/eval_set.h"

#include <gtest/gtest.h>

#include <map>
#include <set>

#include "peerless/data/scoring_windows.h"
#include "tests/data/shards.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

class Evaluation : public testing::Test {
 protected:
  TemporaryFolder folder;
  Documents documents = counting_documents(random_lengths(40, 25));

  void SetUp() override { write_shard(folder / "val.tok", documents); }
  EvalSet open(std::int64_t seq_len, std::int64_t batch, std::int64_t max_batches = 0) const {
    return {{.path = (folder / "val.tok").string(), .name = "v"}, tokenizer_of(100), seq_len, batch, max_batches};
  }
};

// Each (input, target) pair of every document, document by document: what must be scored.
std::multiset<std::pair<std::int64_t, std::int64_t>> pairs_of(const Documents& documents) {
  std::multiset<std::pair<std::int64_t, std::int64_t>> pairs;
  for (const auto& document : documents) {
    for (std::size_t i = 1; i < document.size(); ++i) pairs.emplace(document[i - 1], document[i]);
  }
  return pairs;
}

TEST_F(Evaluation, EveryTokenAfterABosIsScoredOnce) {
  for (const std::int64_t seq_len : {1, 5, 8, 64}) {
    for (const std::int64_t batch : {1, 3, 100}) {
      const auto set = open(seq_len, batch);
      std::multiset<std::pair<std::int64_t, std::int64_t>> scored;
      std::int64_t unmasked = 0;
      for (std::int64_t i = 0; i < set.batches(); ++i) {
        const auto part = set.batch(i);
        ASSERT_LE(part.batch, batch);
        ASSERT_LE(part.seq_len, seq_len);
        ASSERT_EQ(part.mask.size(), static_cast<std::size_t>(part.batch * part.seq_len));
        unmasked += part.unmasked;
        for (std::size_t j = 0; j < part.mask.size(); ++j) {
          if (part.mask[j]) scored.emplace(part.inputs[j], part.targets[j]);
        }
      }
      EXPECT_EQ(scored, pairs_of(documents));
      EXPECT_EQ(unmasked, set.targets());
    }
  }
}

TEST_F(Evaluation, CountsWholeDocuments) {
  const auto set = open(8, 4);
  EXPECT_EQ(set.documents(), 40);
  EXPECT_EQ(set.raw_bytes(), static_cast<std::int64_t>(10 * concatenated(documents).size()));
  EXPECT_EQ(set.name(), "v");
}

TEST_F(Evaluation, LittleIsPadding) {
  const auto set = open(8, 4);
  std::int64_t cells = 0;
  for (std::int64_t i = 0; i < set.batches(); ++i) cells += set.batch(i).batch * set.batch(i).seq_len;
  EXPECT_LT(static_cast<double>(cells), 1.1 * static_cast<double>(set.targets()));
}

TEST_F(Evaluation, ALimitTakesWholeDocumentsOfAFixedRandomOrder) {
  std::int64_t before = 0;
  for (const std::int64_t max_batches : {1, 2, 5, 10, 1000}) {
    const auto set = open(8, 4, max_batches);
    EXPECT_LE(set.batches(), max_batches);
    EXPECT_GE(set.documents(), before);
    EXPECT_GE(set.documents(), 1);
    before = set.documents();
    std::int64_t unmasked = 0;
    for (std::int64_t i = 0; i < set.batches(); ++i) unmasked += set.batch(i).unmasked;
    EXPECT_EQ(unmasked, set.targets());
    EXPECT_EQ(set.raw_bytes(), 10 * (set.targets() + set.documents())) << "ten bytes for each token, bos too";
  }
  EXPECT_EQ(before, 40);
}

TEST_F(Evaluation, TheDocumentsOfALimitAreNotTheFirstOnes) {
  Documents equal = counting_documents(std::vector<std::size_t>(400, 9));
  for (std::size_t i = 0; i < equal.size(); ++i) equal[i][1] = static_cast<TokenId>(3 + i / 100);
  write_shard(folder / "equal.tok", equal);
  const EvalSet set({.path = (folder / "equal.tok").string(), .name = "v"}, tokenizer_of(100), 8, 10, 4);
  std::map<std::int64_t, int> by_quarter;
  for (std::int64_t i = 0; i < set.batches(); ++i) {
    const auto batch = set.batch(i);
    for (std::int64_t row = 0; row < batch.batch; ++row) {
      ++by_quarter[batch.targets[static_cast<std::size_t>(row * batch.seq_len)]];
    }
  }
  ASSERT_EQ(by_quarter.size(), 4u);
  for (const auto& [quarter, count] : by_quarter) EXPECT_NEAR(count, 10, 7) << "of 40, from each quarter of the set";
}

TEST_F(Evaluation, ADocumentThatDoesNotBeginWithBosIsRefused) {
  write_shard(folder / "bad.tok", {{kBos, 5, kEos}, {6, 5, 4, 3, 9, kEos}});
  const EvalSet set({.path = (folder / "bad.tok").string(), .name = "v"}, tokenizer_of(100), 2, 10);
  EXPECT_EQ(complaint(ExitCode::data, [&] { set.batch(0); }),
            (folder / "bad.tok").string() + ": a document begins at token 3 with the id 6, expected bos 1");
}

TEST_F(Evaluation, AFirstDocumentLargerThanTheLimitIsScoredWhole) {
  write_shard(folder / "val2.tok", counting_documents({1000}));
  const EvalSet set({.path = (folder / "val2.tok").string(), .name = "v"}, tokenizer_of(100), 8, 1, 1);
  EXPECT_EQ(set.targets(), 999);
}

TEST_F(Evaluation, WithoutBosNothingPredictsTheFirstToken) {
  const TokenizerInfo bare{{1, 2}, 100, std::nullopt, kEos};
  write_shard(folder / "bare.tok", {{5, 6, kEos}}, bare);
  const auto path = (folder / "bare.tok").string();
  EXPECT_EQ(complaint(ExitCode::data, [&] { EvalSet({.path = path, .name = "v"}, bare, 8, 1); }),
            path + ": its tokenizer has no bos, so nothing predicts a document's first token");
}

// ---- scoring windows -----------------------------------------------------------------------------------------------

TEST(ScoringWindows, ASmallCaseByHand) {
  EXPECT_EQ(scoring_windows(11, 4, 2), (std::vector<ScoringWindow>{{0, 1, 5}, {2, 5, 7}, {4, 7, 9}, {6, 9, 11}}));
  EXPECT_EQ(scoring_windows(4, 4, 2), (std::vector<ScoringWindow>{{0, 1, 4}}));
  EXPECT_TRUE(scoring_windows(1, 4, 2).empty());
  EXPECT_TRUE(scoring_windows(0, 4, 2).empty());
}

TEST(ScoringWindows, EveryTokenOnceWithEnoughBeforeIt) {
  for (std::uint64_t tokens = 1; tokens < 60; ++tokens) {
    for (std::uint64_t window = 1; window < 12; ++window) {
      for (std::uint64_t stride = 1; stride <= window; ++stride) {
        std::uint64_t next = 1;
        for (const auto& [begin, score_from, end] : scoring_windows(tokens, window, stride)) {
          ASSERT_EQ(score_from, next);
          ASSERT_LT(score_from, end);
          ASSERT_LE(end - begin - 1, window);
          ASSERT_TRUE(begin == 0 || score_from - begin > window - stride);
          next = end;
        }
        ASSERT_EQ(next, std::max<std::uint64_t>(tokens, 1));
      }
    }
  }
}

}  // namespace
}  // namespace peerless
