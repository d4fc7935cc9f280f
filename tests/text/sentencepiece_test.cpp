#include "peerless/text/sentencepiece.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sentencepiece_processor.h>
#include <sentencepiece_trainer.h>

#include <map>
#include <thread>

#include "peerless/base/error.h"
#include "tests/support/complaint.h"
#include "tests/text/texts.h"

namespace peerless {
namespace {

using test::complaint;
using testing::EndsWith;
using testing::HasSubstr;
using testing::StartsWith;
using Algorithm = SentencePieceTraining::Algorithm;

NextText each_of(std::vector<std::string> texts) {
  return [texts = std::move(texts), at = std::size_t{0}]() mutable {
    return at < texts.size() ? std::optional(texts[at++]) : std::nullopt;
  };
}

TrainedModel train(SentencePieceTraining options = {}, std::vector<std::string> texts = plain_documents()) {
  if (options.vocab_size == 4096) options.vocab_size = 340;
  return train_sentencepiece(options, each_of(std::move(texts)));
}

// One model per algorithm for all tests: training takes the time.
const std::string& model(Algorithm algorithm) {
  static std::map<Algorithm, std::string> models;
  auto& bytes = models[algorithm];
  if (bytes.empty()) bytes = train({.algorithm = algorithm}).bytes;
  return bytes;
}

// A model as others make them: SentencePiece's own defaults, but for `changes`.
std::string foreign_model(std::unordered_map<std::string, std::string> changes) {
  changes.insert({{"model_type", "bpe"}, {"vocab_size", "80"}, {"character_coverage", "1.0"}, {"minloglevel", "3"}});
  std::vector<std::string> lines;
  for (const auto& document : plain_documents(20)) {
    for (const auto& line : split(document, '\n')) lines.push_back(line);
  }
  std::string bytes;
  const auto status = sentencepiece::SentencePieceTrainer::Train(changes, lines, &bytes);
  EXPECT_TRUE(status.ok()) << status.ToString();
  return bytes;
}

class Lossless : public testing::TestWithParam<Algorithm> {
 protected:
  std::unique_ptr<Tokenizer> tokenizer = parse_sentencepiece(model(GetParam()), "test.model");
};
INSTANTIATE_TEST_SUITE_P(SentencePiece, Lossless, testing::Values(Algorithm::bpe, Algorithm::unigram),
                         [](const auto& of) { return of.param == Algorithm::bpe ? "bpe" : "unigram"; });

TEST_P(Lossless, DecodingGivesBackEveryText) {
  for (const auto& text : nasty_texts()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  for (const auto& text : plain_documents()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    const auto text = random_text(seed);
    EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

TEST_P(Lossless, DecodingGivesBackBytesThatAreNoText) {
  for (const auto& bytes : invalid_texts()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(bytes)), bytes);
}

TEST_P(Lossless, EncodesAsSentencePieceItselfWhereThatLosesNothing) {
  sentencepiece::SentencePieceProcessor theirs;
  ASSERT_TRUE(theirs.LoadFromSerializedProto(model(GetParam())).ok());
  for (std::uint64_t seed = 0; seed < 2000; ++seed) {
    auto text = random_text(seed);
    if (seed < 60) text = plain_documents()[seed];
    if (text.find("▁") != std::string::npos) continue;
    EXPECT_EQ(tokenizer->encode(text), theirs.EncodeAsIds(text)) << text;
  }
}

TEST_P(Lossless, SentencePieceItselfDecodesOurIds) {
  sentencepiece::SentencePieceProcessor theirs;
  ASSERT_TRUE(theirs.LoadFromSerializedProto(model(GetParam())).ok());
  for (const auto& text : nasty_texts()) EXPECT_EQ(theirs.DecodeIds(tokenizer->encode(text)), text);
}

TEST_P(Lossless, DecodingIsTheConcatenationOfTheTokensBytes) {
  for (const auto& text : nasty_texts()) {
    std::string joined;
    for (const TokenId id : tokenizer->encode(text)) joined += tokenizer->bytes(id);
    EXPECT_EQ(joined, text);
  }
}

TEST_P(Lossless, NoTextBecomesAControlToken) {
  const auto ids = tokenizer->encode("<s></s><unk>");
  EXPECT_THAT(ids, testing::Each(testing::Gt(2)));
  EXPECT_EQ(tokenizer->bos(), 1);
  EXPECT_EQ(tokenizer->eos(), 2);
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{1, 2}), "");
}

TEST_P(Lossless, NewlineAndTabAreOnePieceEach) {
  EXPECT_EQ(tokenizer->encode("\n\n\t").size(), 3u);
  EXPECT_EQ(tokenizer->name(tokenizer->encode("\n")[0]), "\n");
  EXPECT_EQ(tokenizer->name(tokenizer->encode("\t")[0]), "\t");
}

TEST_P(Lossless, PiecesAreLearned) {
  const auto text = plain_documents()[0];
  EXPECT_LT(tokenizer->encode(text).size(), text.size() / 2);
  EXPECT_EQ(tokenizer->encode("    ").size(), 1u) << "indentation";
  EXPECT_EQ(tokenizer->losses(), "");
  EXPECT_EQ(tokenizer->vocab_size(), 340);
  EXPECT_THAT(tokenizer->kind(), StartsWith("sentencepiece "));
}

// Words are remembered, up to a number of them.
TEST_P(Lossless, EncodesMoreDifferentWordsThanAreRemembered) {
  sentencepiece::SentencePieceProcessor theirs;
  ASSERT_TRUE(theirs.LoadFromSerializedProto(model(GetParam())).ok());
  std::string text;
  for (int i = 0; i < 140'000; ++i) text += concat(" ", i % 1000 == 0 ? 7 : i);
  EXPECT_TRUE(tokenizer->encode(text) == theirs.EncodeAsIds(text));
  EXPECT_TRUE(tokenizer->encode(text) == theirs.EncodeAsIds(text)) << "by what is remembered now";
}

TEST_P(Lossless, AWordThatIsEncodedInPartsStandsAmongOthers) {
  const std::string before = "the river ", after = " the lantern\n";
  for (const std::string& longest : {std::string(600'000, 'y'), std::string(300'000, '\n'),
                                     std::string(262'143, 'y') + "é" + std::string(262'143, 'y')}) {
    const auto ids = tokenizer->encode(before + longest + after);
    EXPECT_EQ(tokenizer->decode(ids), before + longest + after);
    const auto first = tokenizer->encode(before), last = tokenizer->encode(after);
    EXPECT_TRUE(std::equal(first.begin(), first.end() - 1, ids.begin()));
    EXPECT_TRUE(std::equal(last.rbegin(), last.rend(), ids.rbegin()));
  }
}

TEST_P(Lossless, ManyThreadsMayEncodeAtOnce) {
  const auto texts = plain_documents();
  std::vector<std::vector<TokenId>> expected;
  for (const auto& text : texts) expected.push_back(tokenizer->encode(text));
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (std::size_t j = 0; j < texts.size(); ++j) EXPECT_EQ(tokenizer->encode(texts[j]), expected[j]);
    });
  }
  for (auto& thread : threads) thread.join();
}

TEST_P(Lossless, ATruncatedModelIsRefusedWhereverItEnds) {
  const auto& whole = model(GetParam());
  for (std::size_t length = 0; length < whole.size(); length += 1 + length / 50) {
    EXPECT_THAT(complaint(ExitCode::data, [&] { parse_sentencepiece(whole.substr(0, length), "cut.model"); }),
                StartsWith("cut.model: not a usable SentencePiece model: "))
        << length;
  }
}

TEST_P(Lossless, AFieldOfAnotherTypeIsNoPieceAsToSentencePiece) {
  EXPECT_EQ(parse_sentencepiece(model(GetParam()) + "\x08\x01", "odd.model")->vocab_size(), 340);
}

TEST_P(Lossless, ADamagedModelIsRefusedOrUsableButNeverACrash) {
  for (std::uint64_t seed = 0; seed < 300; ++seed) {
    auto bytes = model(GetParam());
    const RandomStream random(seed, 2);
    bytes[random.below(bytes.size(), 0)] ^= static_cast<char>(1 << random.below(8, 1));
    try {
      const auto damaged = parse_sentencepiece(bytes, "damaged.model");
      damaged->decode(damaged->encode("the lantern\n"));
    } catch (const Error& error) {
      EXPECT_EQ(error.code(), ExitCode::data);
      EXPECT_EQ(std::string(error.what()).find('\n'), std::string::npos) << "one line: " << error.what();
    }
  }
}

// ---- training ------------------------------------------------------------------------------------------------------

TEST_P(Lossless, TheSameTextOptionsAndThreadsGiveTheSameBytes) {
  for (const std::int64_t threads : {1, 3}) {
    const SentencePieceTraining options{.algorithm = GetParam(), .threads = threads, .max_bytes = 9000};
    EXPECT_EQ(train(options).bytes, train(options).bytes);
  }
}

TEST(TrainSentencePiece, ASmallSampleDependsOnTheSeed) {
  const auto sampled = [](std::int64_t seed) { return train({.vocab_size = 320, .seed = seed, .max_bytes = 6000}); };
  EXPECT_NE(sampled(1).bytes, sampled(2).bytes);
  EXPECT_LE(sampled(1).report.sampled_bytes, 6000);
  EXPECT_GT(sampled(1).report.sampled_bytes, 5000);
}

TEST(TrainSentencePiece, TextBelowTheLimitIsUsedWhole) {
  const auto report = train().report;
  EXPECT_EQ(report.documents, 60);
  EXPECT_EQ(report.sampled_bytes, report.bytes);
  EXPECT_EQ(report.invalid_documents + report.cuts + report.reserved, 0);
  for (const auto algorithm : {Algorithm::bpe, Algorithm::unigram}) {
    EXPECT_EQ(train({.algorithm = algorithm, .seed = 1}).bytes, train({.algorithm = algorithm, .seed = 2}).bytes);
  }
}

TEST(TrainSentencePiece, CountsWhatItDoesNotSee) {
  auto texts = plain_documents();
  texts.push_back("not UTF-8: \xff");
  texts.push_back(std::string(10000, 'q'));
  texts.push_back(std::string("▁ ▅\0", 8));
  const auto trained = train({}, texts);
  EXPECT_EQ(trained.report.documents, 63);
  EXPECT_EQ(trained.report.invalid_documents, 1);
  EXPECT_EQ(trained.report.cuts, 2) << "one line in three parts";
  EXPECT_EQ(trained.report.reserved, 3);
  const auto tokenizer = parse_sentencepiece(trained.bytes, "m");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode(texts.back())), texts.back());
}

TEST(TrainSentencePiece, WhatItDoesNotSeeIsCountedWithinTheSampleAlone) {
  auto texts = plain_documents();
  for (int i = 0; i < 50; ++i) texts.push_back(std::string(9000, 'q') + "\u2581");
  const auto report = train({.vocab_size = 300, .max_bytes = 200'000}, texts).report;
  EXPECT_LT(report.sampled_bytes, report.bytes / 2);
  EXPECT_GT(report.cuts, 20);
  EXPECT_LE(report.cuts * 4096, report.sampled_bytes) << "each cut ends a passage of the sample";
  EXPECT_GT(report.reserved, 5);
  EXPECT_LT(report.reserved, 40);
}

TEST(TrainSentencePiece, NoTextIsAnError) {
  EXPECT_EQ(complaint(ExitCode::data, [] { train({}, {}); }),
            "no text to train a tokenizer on: 0 documents, 0 of them not UTF-8");
  EXPECT_EQ(complaint(ExitCode::data,
                      [] {
                        train({}, {"\xff", "\n"});
                      }),
            "no text to train a tokenizer on: 2 documents, 1 of them not UTF-8");
}

TEST(TrainSentencePiece, TooLittleTextForTheVocabularyIsAnError) {
  EXPECT_THAT(
      complaint(ExitCode::data, [] { train({.vocab_size = 5000}, {"a few words only"}); }),
      StartsWith("training the tokenizer failed: Vocabulary size too high (5000). Please set it to a value <= "));
}

TEST(TrainSentencePiece, AVocabularyTooSmallForTheCharactersIsAnError) {
  EXPECT_THAT(complaint(ExitCode::data, [] { train({.vocab_size = 270}); }),
              StartsWith("training the tokenizer failed: Vocabulary size is smaller than required_chars. 270 vs "));
  EXPECT_THAT(complaint(ExitCode::data, [] { train({.vocab_size = 100}); }),
              StartsWith("training the tokenizer failed: "));
}

// ---- models of others ----------------------------------------------------------------------------------------------

TEST(ForeignModel, SaysWhatItLoses) {
  const auto tokenizer = parse_sentencepiece(foreign_model({}), "foreign.model");
  EXPECT_EQ(tokenizer->losses(),
            "characters are replaced (normaliser nmt_nfkc); a space is put before the text (dummy prefix); leading, "
            "trailing and repeated spaces are removed; unknown characters become <unk> (no byte fallback)");
  EXPECT_EQ(tokenizer->decode(tokenizer->encode("  the   river ")), "the river");
}

TEST(ForeignModel, GivesTheIdsAndTextsOfSentencePiece) {
  for (const auto& changes : std::vector<std::unordered_map<std::string, std::string>>{
           {},
           {{"byte_fallback", "true"}, {"vocab_size", "350"}},
           {{"normalization_rule_name", "identity"}},
           {{"model_type", "unigram"}, {"split_by_whitespace", "false"}}}) {
    const auto bytes = foreign_model(changes);
    const auto tokenizer = parse_sentencepiece(bytes, "foreign.model");
    EXPECT_NE(tokenizer->losses(), "");
    sentencepiece::SentencePieceProcessor theirs;
    ASSERT_TRUE(theirs.LoadFromSerializedProto(bytes).ok());
    for (const auto& text : nasty_texts()) {
      EXPECT_EQ(tokenizer->encode(text), theirs.EncodeAsIds(text));
      EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), theirs.DecodeIds(theirs.EncodeAsIds(text)));
    }
  }
}

TEST(ForeignModel, TruncatedBetweenTwoFieldsIsRefusedToo) {
  const auto whole = foreign_model({{"normalization_rule_name", "identity"}});
  for (std::size_t length = 0; length < whole.size(); ++length) {
    EXPECT_THAT(complaint(ExitCode::data, [&] { parse_sentencepiece(whole.substr(0, length), "cut.model"); }),
                StartsWith("cut.model: not a usable SentencePiece model: "))
        << length;
  }
}

TEST(ForeignModel, MayLoseNothingThoughItsPiecesReachOverWords) {
  for (const auto& [key, value] : std::vector<std::pair<std::string, std::string>>{
           {"split_by_whitespace", "false"}, {"user_defined_symbols", ";\n,\n  "}}) {
    const auto bytes = foreign_model({{key, value},
                                      {"vocab_size", "500"},
                                      {"byte_fallback", "true"},
                                      {"normalization_rule_name", "identity"},
                                      {"add_dummy_prefix", "false"},
                                      {"remove_extra_whitespaces", "false"}});
    const auto tokenizer = parse_sentencepiece(bytes, "foreign.model");
    EXPECT_EQ(tokenizer->losses(), "");
    sentencepiece::SentencePieceProcessor theirs;
    ASSERT_TRUE(theirs.LoadFromSerializedProto(bytes).ok());
    for (const auto& text : plain_documents()) EXPECT_EQ(tokenizer->encode(text), theirs.EncodeAsIds(text));
    for (const auto& text : nasty_texts()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  }
}

}  // namespace
}  // namespace peerless
