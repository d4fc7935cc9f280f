// From text to token shards by the program, as its user types it.
#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <cstdlib>
#include <nlohmann/json.hpp>

#include "peerless/base/text.h"
#include "tests/cli/program.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using nlohmann::json;
using test::Outcome;
using testing::HasSubstr;

class TextAndData : public testing::Test {
 protected:
  TemporaryFolder folder;
  std::string corpus = (std::filesystem::current_path() / "data/corpus").string();

  Outcome run(const std::vector<std::string>& arguments) const { return test::run(folder.path(), arguments); }
  json answer(std::vector<std::string> arguments) const {
    arguments.emplace_back("--json");
    const auto outcome = run(arguments);
    EXPECT_EQ(outcome.code, 0) << outcome;
    return json::parse(outcome.out, nullptr, /*allow_exceptions=*/false);
  }
  void expect(const std::vector<std::string>& arguments, int code, const std::string& what) const {
    const auto outcome = run(arguments);
    EXPECT_EQ(outcome.code, code) << outcome;
    EXPECT_THAT(outcome.err, HasSubstr(what));
  }
  json train(const std::string& type) const {
    return answer({"tokenizer", "train", corpus, "--vocab-size", "512", "--type", type, "--out", "m/" + type});
  }
  json prepare(const std::string& tokenizer) const {
    return answer({"data", "prepare", corpus, "--tokenizer", tokenizer, "--out", "train", "--val-out", "val",
                   "--val-fraction", "0.1"});
  }
};

TEST_F(TextAndData, ATokenizerIsTrainedAndTellsWhatItIs) {
  for (const auto* type : {"bpe", "unigram"}) {
    const auto trained = train(type);
    EXPECT_EQ(trained["documents"], 153);
    EXPECT_EQ(trained["invalid_documents"], 0);
    const auto info = answer({"tokenizer", "info", "--tokenizer", std::string("m/") + type});
    EXPECT_EQ(info["kind"], std::string("sentencepiece ") + type);
    EXPECT_EQ(info["vocab_size"], 512);
    EXPECT_EQ(info["lossless"], true);
    EXPECT_EQ(info["digest"], trained["digest"]);
  }
  expect({"tokenizer", "train", corpus, "--out", "m/bpe"}, 73, "m/bpe: already there");
  expect({"tokenizer", "train", corpus, "--out", "n"}, 65, "Vocabulary size too high (4096)");
  expect({"tokenizer", "train", "absent", "--out", "n"}, 66, "absent");
}

TEST_F(TextAndData, EncodingAndDecodingAreInverse) {
  train("bpe");
  const std::string text = "  Ada ▁ sold\ta blue lantern…\n";
  for (const auto* tokenizer : {"m/bpe", "byte"}) {
    const auto ids = answer({"tokenizer", "encode", "--tokenizer", tokenizer, text});
    std::vector<std::string> decode = {"tokenizer", "decode", "--tokenizer", tokenizer};
    for (const int id : ids) decode.push_back(std::to_string(id));
    EXPECT_EQ(run(decode).out, text);
  }
  expect({"tokenizer", "decode", "--tokenizer", "byte", "1", "x2"}, 65, "expected token ids");
  expect({"tokenizer", "decode", "--tokenizer", "byte", "258"}, 65, "token id 258 is outside the vocabulary of 258");
}

TEST_F(TextAndData, PreparedDataAreInspectedAndVerified) {
  train("bpe");
  const auto prepared = prepare("m/bpe");
  EXPECT_EQ(prepared["train"]["documents"].get<int>() + prepared["val"]["documents"].get<int>(), 153);
  const auto seen = answer({"data", "inspect", "train", "--tokenizer", "m/bpe"});
  EXPECT_EQ(seen["tokens"], prepared["train"]["tokens"]);
  EXPECT_EQ(seen["raw_bytes"], prepared["train"]["raw_bytes"]);
  EXPECT_EQ(seen["first_tokens"][0], 1);
  EXPECT_THAT(seen["text"].get<std::string>(), HasSubstr("int "));
  EXPECT_EQ(answer({"data", "verify", "val"})["good"], true);

  expect({"data", "inspect", "train", "--tokenizer", "byte"}, 78, "train: made with the tokenizer ");
  expect({"data", "inspect", "nowhere"}, 66, "nowhere");
  auto shard = test::content(folder / "train/00000.tok");
  shard[100] ^= 1;
  test::write(folder / "train/00000.tok", shard);
  expect({"data", "verify", "train"}, 65, "train/00000.tok: damaged: checksum of the tokens in block 0");
  const auto refused = run({"data", "verify", "train", "--json"});
  EXPECT_EQ(refused.code, 65);
  EXPECT_EQ(json::parse(refused.out)["faults"].size(), 1u);
}

TEST_F(TextAndData, SuffixesSwallowNoInput) {
  test::write(folder / "a.txt", "one\n");
  test::write(folder / "b.h", "two\n");
  const auto prepared =
      answer({"data", "prepare", "--suffix", ".h,.txt", "a.txt", "b.h", "--tokenizer", "byte", "--out", "t"});
  EXPECT_EQ(prepared["train"]["documents"], 2);
}

TEST_F(TextAndData, FilesPassedOverAreCounted) {
  test::write(folder / "in.txt", "one\n");
  std::filesystem::create_directory(folder / "in");
  test::write(folder / "in/a.md", "two\n");
  test::write(folder / "in/b.txt", "three\n");
  EXPECT_THAT(run({"data", "prepare", "in", "--tokenizer", "byte", "--out", "t"}).out,
              HasSubstr("passed over: 1 file of other suffixes (--suffix)\n"));
}

TEST_F(TextAndData, AVocabularyIsListedForPeopleAndPrograms) {
  EXPECT_THAT(run({"tokenizer", "info", "--tokenizer", "byte", "--tokens"}).out, HasSubstr("\n10\t<0x0A>\n"));
  const auto info = answer({"tokenizer", "info", "--tokenizer", "byte", "--tokens"});
  EXPECT_EQ(info["tokens"].size(), 258u);
  EXPECT_EQ(info["tokens"][10], "<0x0A>");
}

TEST_F(TextAndData, ThatAModelCannotBeWrittenIsSaidBeforeTraining) {
  test::write(folder / "file", "");
  expect({"tokenizer", "train", corpus, "--out", "file/m"}, 73, "file/.m.tmp: cannot create: Not a directory");
  expect({"tokenizer", "train", corpus, "--out", "m", "--max-bytes", "1000"}, 64, "--max-bytes");
}

TEST_F(TextAndData, PathsAndAnswersMayHoldAnyBytes) {
  std::filesystem::create_directory(folder / "caf\xe9");
  test::write(folder / "caf\xe9/a.txt", "one\n");
  EXPECT_EQ(answer({"data", "prepare", "caf\xe9", "--tokenizer", "byte", "--out", "t\xe9"})["train"]["path"],
            "t\ufffd");
  const auto missing = run({"data", "inspect", "a\x1b[2J"});
  EXPECT_EQ(missing.err, "FATAL NOINPUT what=\"a\\\\x1b[2J: cannot open: No such file or directory\"\n");
}

TEST_F(TextAndData, AnAnswerThatCannotBeWrittenIsAnError) {
  const auto command = concat(test::program(), " tokenizer info --tokenizer byte > /dev/full 2> ", folder / "err");
  EXPECT_EQ(WEXITSTATUS(std::system(command.c_str())), 74);
  EXPECT_EQ(
      test::content(folder / "err"),
      "FATAL IO what=\"standard output: cannot write all of the answer: is the disk full, or the pipe closed?\"\n");
}

TEST_F(TextAndData, AReaderThatWentAwayIsAnErrorAndNoDeath) {
  const auto command = concat("(sleep 0.3; ", test::program(), " config schema 2> ", folder / "err", "; echo $? > ",
                              folder / "code", ") | true");
  ASSERT_EQ(std::system(command.c_str()), 0);
  EXPECT_EQ(test::content(folder / "code"), "74\n");
  EXPECT_THAT(test::content(folder / "err"), HasSubstr("or the pipe closed?"));
}

}  // namespace
}  // namespace peerless
