#include "peerless/data/prepare.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <unistd.h>

#include <functional>
#include <nlohmann/json.hpp>
#include <set>
#include <utility>

#include "peerless/base/version.h"
#include "peerless/data/token_source.h"
#include "tests/data/shards.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

class Prepare : public testing::Test {
 protected:
  TemporaryFolder folder;
  std::unique_ptr<Tokenizer> tokenizer = open_tokenizer(ByteConfig{});

  PrepareOptions options() const {
    return {
        .sources = {{(folder / "in").string()}}, .train = folder / "train", .val = folder / "val", .val_fraction = 0.3};
  }
  PrepareReport run(const PrepareOptions& options) { return prepare(disk(), *tokenizer, options); }

  void write_documents(int count) {
    for (int i = 0; i < count; ++i) spill(folder / "in" / concat(100 + i, ".txt"), document(i));
  }
  static std::string document(int i) { return concat("document ", i, std::string(static_cast<std::size_t>(i), '.')); }

  std::vector<std::string> texts(const std::string& name) const {
    const TokenSource source(folder / name);
    std::vector<std::string> texts;
    for (std::uint64_t i = 0; i < source.documents(); ++i) {
      const auto place = source.document(i);
      std::vector<std::int64_t> tokens(place.tokens);
      source.copy(place.first_token, tokens);
      EXPECT_EQ(tokens.front(), 256);
      EXPECT_EQ(tokens.back(), 257);
      texts.push_back(tokenizer->decode(std::vector<TokenId>(tokens.begin(), tokens.end())));
      EXPECT_EQ(place.raw_bytes, texts.back().size());
    }
    return texts;
  }
};

TEST_F(Prepare, EveryDocumentIsOnOneSideInTheOrderOfTheSources) {
  write_documents(50);
  const auto report = run(options());
  const auto train = texts("train"), val = texts("val");
  EXPECT_EQ(report.train.documents, static_cast<std::int64_t>(train.size()));
  EXPECT_EQ(report.val.documents, static_cast<std::int64_t>(val.size()));
  EXPECT_GT(val.size(), 5u);
  EXPECT_LT(val.size(), 25u);

  std::vector<std::string> merged;
  for (std::size_t i = 0, j = 0, k = 0; i < 50; ++i) {
    const auto expected = document(static_cast<int>(i));
    if (j < train.size() && train[j] == expected)
      merged.push_back(train[j++]);
    else if (k < val.size() && val[k] == expected)
      merged.push_back(val[k++]);
  }
  EXPECT_EQ(merged.size(), 50u);
}

TEST_F(Prepare, EqualTextsAreNeverOnBothSides) {
  write_documents(30);
  std::string lines;
  for (int i = 0; i < 30; ++i) lines += concat("{\"text\": \"", document(i), "\"}\n");
  spill(folder / "in" / "again.jsonl", lines);
  run(options());
  std::set<std::string> train;
  for (const auto& text : texts("train")) train.insert(text);
  for (const auto& text : texts("val")) EXPECT_EQ(train.count(text), 0u) << text;
  EXPECT_EQ(texts("train").size() + texts("val").size(), 60u);
}

TEST_F(Prepare, TheSplitDependsOnTextAndSeedAlone) {
  write_documents(40);
  run(options());
  const auto before = texts("val");
  for (const auto* name : {"train", "val"}) std::filesystem::remove_all(folder / name);
  spill(folder / "in" / "000.txt", "one more");
  run(options());
  auto after = texts("val");
  std::erase(after, "one more");
  EXPECT_EQ(after, before);

  auto other = options();
  other.train = folder / "train2", other.val = folder / "val2", other.seed = 2;
  run(other);
  EXPECT_NE(texts("val2"), before);
}

TEST_F(Prepare, TheBytesDoNotDependOnTheNumberOfThreads) {
  std::string lines;  // 3 MB: a dozen pieces of work, of documents that take different times
  for (int i = 0; i < 300; ++i) {
    lines += concat("{\"text\": \"", i, std::string(static_cast<std::size_t>(i * 7919 % 20000), 'x'), "\"}\n");
  }
  spill(folder / "in" / "many.jsonl", lines);
  for (const std::int64_t threads : {1, 4}) {
    auto with = options();
    with.train = folder / concat("train", threads), with.val = folder / concat("val", threads);
    with.threads = threads, with.shard_tokens = 500'000;
    EXPECT_GT(run(with).train.shards, 3);
  }
  for (const auto* name : {"train", "val"}) {
    for (const auto& file : disk().list(folder / concat(name, 1))) {
      EXPECT_EQ(slurp(folder / concat(name, 1) / file), slurp(folder / concat(name, 4) / file)) << file;
    }
  }
}

TEST_F(Prepare, ShardsAreCutBetweenDocuments) {
  write_documents(60);
  auto small = options();
  small.val.clear(), small.shard_tokens = 500;
  const auto report = run(small);
  const TokenSource source(folder / "train");
  EXPECT_GT(source.shards().size(), 5u);
  EXPECT_EQ(report.train.shards, static_cast<std::int64_t>(source.shards().size()));
  for (const auto& shard : source.shards()) EXPECT_LE(shard->tokens(), 500u);
  EXPECT_EQ(texts("train").size(), 60u);
  EXPECT_THAT(disk().list(folder / "train"), testing::Contains("00000.tok"));
}

TEST_F(Prepare, WhatIsLeftOutIsCountedAndNamed) {
  write_documents(20);
  spill(folder / "in" / "empty.txt", "");
  spill(folder / "in" / "latin1.txt", "caf\xe9");
  spill(folder / "in" / "lines.jsonl", "{\"text\": \"\"}\n{\"text\": \"\xff\"}\n");
  const auto report = run(options());
  EXPECT_EQ(report.empty, 2);
  EXPECT_EQ(report.invalid, 2);
  EXPECT_THAT(report.first_invalid, ElementsAre((folder / "in/latin1.txt").string() + ": byte 3",
                                                (folder / "in/lines.jsonl:2").string() + ": byte 10"));
  EXPECT_EQ(report.train.documents + report.val.documents, 20);
}

// As a model of SentencePiece's own defaults does with white space.
class DropsSpaces final : public Tokenizer {
 public:
  std::string kind() const override { return bytes_->kind(); }
  std::int64_t vocab_size() const override { return bytes_->vocab_size(); }
  std::optional<TokenId> bos() const override { return bytes_->bos(); }
  std::optional<TokenId> eos() const override { return bytes_->eos(); }
  std::vector<TokenId> encode(std::string_view text) const override {
    std::string kept(text);
    std::erase(kept, ' ');
    return bytes_->encode(kept);
  }
  std::string decode(std::span<const TokenId> ids) const override { return bytes_->decode(ids); }
  std::string bytes(TokenId id) const override { return bytes_->bytes(id); }
  std::string name(TokenId id) const override { return bytes_->name(id); }
  Digest digest() const override { return bytes_->digest(); }
  std::string losses() const override { return "spaces"; }

 private:
  std::unique_ptr<Tokenizer> bytes_ = open_tokenizer(ByteConfig{});
};

TEST_F(Prepare, ADocumentOfWhichTheTokenizerKeepsNothingIsLeftOut) {
  tokenizer = std::make_unique<DropsSpaces>();
  write_documents(20);
  spill(folder / "in" / "spaces.txt", "   ");
  const auto report = run(options());
  EXPECT_EQ(report.empty, 1);
  EXPECT_EQ(report.train.documents + report.val.documents, 20);
}

TEST_F(Prepare, ABrokenLineLeavesNothingBehind) {
  write_documents(20);
  spill(folder / "in" / "lines.jsonl", "{\"text\": \"x\"}\n{\n");
  EXPECT_THAT(complaint(ExitCode::data, [&] { run(options()); }), HasSubstr("lines.jsonl:2: not JSON"));
  EXPECT_THAT(disk().list(folder.path()), ElementsAre("in"));
}

TEST_F(Prepare, AnExistingFolderIsNotTouched) {
  write_documents(20);
  run(options());
  EXPECT_EQ(complaint(ExitCode::output, [&] { run(options()); }),
            (folder / "train").string() + ": already there; remove it, or name another folder");
}

TEST_F(Prepare, FoldersInEachOtherAreRefused) {
  write_documents(3);
  const auto train = folder / "out", current = std::filesystem::current_path();
  for (const auto& val : {train, folder / "out/", folder / "out/val", folder / "x/../out/val", folder.path(),
                          std::filesystem::relative(train, current)}) {
    auto nested = options();
    nested.train = train, nested.val = val;
    EXPECT_EQ(complaint(ExitCode::output, [&] { run(nested); }),
              concat(train, " and ", val, ": one is, or lies in, the other; name two folders side by side"));
  }
  EXPECT_THAT(disk().list(folder.path()), ElementsAre("in"));
  auto beside = options();
  beside.train = folder / "out", beside.val = folder / "out2";
  EXPECT_EQ(run(beside).val.shards, 1) << "not a prefix of letters";
}

TEST_F(Prepare, WithoutTheTrainingSetAValidationSetIsOfAnEarlierRun) {
  write_documents(20);
  run(options());
  std::filesystem::remove_all(folder / "train");
  EXPECT_EQ(complaint(ExitCode::output, [&] { run(options()); }),
            concat(folder / "val", ": already there, but ", folder / "train",
                   " is not: did an earlier run end between the two? Remove it, or name another folder"));
  EXPECT_THAT(disk().list(folder.path()), ElementsAre("in", "val"));
}

// Does something when the first shard is begun.
class InTheMiddle : public MemoryFiles {
 public:
  std::function<void()> act;
  std::unique_ptr<OutputFile> create(const Path& file) override {
    if (file.filename() == "00000.tok" && act) std::exchange(act, nullptr)();
    return MemoryFiles::create(file);
  }
};

TEST_F(Prepare, ASecondRunToTheSameFolderIsRefusedAndHarmsNothing) {
  write_documents(30);
  auto first = options(), second = options();
  first.train = "/out/train", first.val = "/out/val";
  second.train = "/out/val", second.val = "/out/elsewhere";
  MemoryFiles undisturbed;
  prepare(undisturbed, *tokenizer, first);

  InTheMiddle files;
  std::string refused;
  files.act = [&] { refused = complaint(ExitCode::output, [&] { prepare(files, *tokenizer, second); }); };
  prepare(files, *tokenizer, first);
  EXPECT_EQ(refused, concat("/out: in use by data prepare of /out/val, process ", ::getpid()));
  EXPECT_EQ(files.tree("/out"), undisturbed.tree("/out"));
}

TEST_F(Prepare, TheLockOfAProcessThatDiedDoesNotLast) {
  write_documents(20);
  spill(folder / ".train.lock", "data prepare of train, process 7");
  run(options());
  EXPECT_THAT(disk().list(folder.path()), ElementsAre("in", "train", "val"));
}

TEST_F(Prepare, AnUnfinishedAttemptIsReplaced) {
  write_documents(20);
  spill(folder / ".train.partial" / "00000.tok", "half a shard");
  run(options());
  EXPECT_THAT(disk().list(folder.path()), ElementsAre("in", "train", "val"));
}

TEST_F(Prepare, AfterAnyFailureAFolderIsWholeOrAbsentAndARetryWorks) {
  write_documents(30);
  auto in_memory = options();
  in_memory.train = "/out/train", in_memory.val = "/out/val", in_memory.shard_tokens = 500;
  MemoryFiles whole;
  FaultyFiles files(whole);
  prepare(files, *tokenizer, in_memory);
  const int operations = files.operations();
  const auto train = whole.tree("/out/train"), val = whole.tree("/out/val");
  EXPECT_GT(operations, 20);

  for (int i = 1; i <= operations; ++i) {
    MemoryFiles left;
    FaultyFiles failing(left);
    failing.arm(fail_from(i, EIO));
    try {
      prepare(failing, *tokenizer, in_memory);
      EXPECT_TRUE(exists(left, in_memory.train) && exists(left, in_memory.val)) << i;  // only the lock stayed behind
    } catch (const IoError&) {
    }
    for (const auto& written : {in_memory.train, in_memory.val}) {
      if (!exists(left, written)) continue;
      EXPECT_EQ(left.tree(written), written == in_memory.train ? train : val) << i;
      remove_tree(left, written);
    }
    prepare(left, *tokenizer, in_memory);
    EXPECT_EQ(left.tree("/out/train"), train) << i;
  }
}

TEST_F(Prepare, WhatItHasWrittenSurvivesALossOfPowerWhereverTheAttemptBeforeDied) {
  write_documents(30);
  auto in_memory = options();
  in_memory.train = "/new/out/train", in_memory.val = "/new/out/val", in_memory.shard_tokens = 500;
  for (int i = 1; i <= 10; ++i) {
    MemoryFiles files;
    FaultyFiles dying(files);
    dying.arm(fail_from(i, EIO));
    EXPECT_THROW(prepare(dying, *tokenizer, in_memory), IoError);
    prepare(files, *tokenizer, in_memory);
    files.crash(Loss::unsynced);
    EXPECT_TRUE(exists(files, in_memory.train) && exists(files, in_memory.val)) << "operation " << i;
  }
}

TEST_F(Prepare, WhatItHasWrittenSurvivesALossOfPower) {
  write_documents(30);
  auto in_memory = options();
  in_memory.train = "/out/train", in_memory.val = "/out/val", in_memory.shard_tokens = 500;
  MemoryFiles files;
  prepare(files, *tokenizer, in_memory);
  const auto all = files.tree("/out");
  for (const auto loss : {Loss::unsynced_data, Loss::unsynced_names, Loss::unsynced}) {
    files.crash(loss);
    EXPECT_EQ(files.tree("/out"), all);
  }
}

TEST_F(Prepare, NothingToWriteIsAnError) {
  spill(folder / "in" / "empty.txt", "");
  EXPECT_EQ(complaint(ExitCode::data, [&] { run(options()); }),
            "no documents to train on; left out: 1 empty, 0 not UTF-8; for validation: 0");
  write_documents(3);
  auto tiny = options();
  tiny.val_fraction = 1e-9;
  EXPECT_EQ(complaint(ExitCode::data, [&] { run(tiny); }),
            "none of 3 documents fell to validation, a fraction of 1e-09; take a larger one");
}

TEST_F(Prepare, OneTextFileCannotBeSplit) {
  spill(folder / "in" / "book.txt", "line\nafter\nline\n");
  const std::string advice =
      "; a .txt file is one document: name more files, or put a document on each line of a .jsonl";
  auto one = options();
  one.val_fraction = 1e-9;
  EXPECT_EQ(complaint(ExitCode::data, [&] { run(one); }),
            "none of 1 documents fell to validation, a fraction of 1e-09; take a larger one" + advice);
  one.val_fraction = 1;
  EXPECT_EQ(complaint(ExitCode::data, [&] { run(one); }),
            "no documents to train on; left out: 0 empty, 0 not UTF-8; for validation: 1" + advice);
}

TEST_F(Prepare, ADataSetTellsHowItWasMade) {
  write_documents(20);
  spill(folder / "in" / "notes.md", "passed over");
  EXPECT_EQ(run(options()).passed_over, 1);
  const auto json = nlohmann::json::parse(slurp(folder / "val" / "dataset.json"));
  const nlohmann::json expected = {{"made_by", program_version()},
                                   {"inputs", (folder / "in").string()},
                                   {"suffixes", ".txt, .jsonl"},
                                   {"field", "text"},
                                   {"tokenizer", "byte"},
                                   {"vocab_size", "258"},
                                   {"tokenizer_digest", tokenizer->digest().hex()},
                                   {"shard_tokens", "134217728"},
                                   {"split_seed", "1"},
                                   {"val_fraction", "0.3"},
                                   {"part", "val"}};
  EXPECT_EQ(json["facts"], expected);
}

TEST_F(Prepare, AMissingOrForeignShardIsNoticedLater) {
  write_documents(60);
  auto small = options();
  small.shard_tokens = 500;
  run(small);
  const auto train = folder / "train";
  std::filesystem::rename(train / "00001.tok", folder / "kept");
  EXPECT_EQ(complaint(ExitCode::data, [&] { TokenSource source(train); }),
            (train / "00001.tok").string() + ": absent, but listed in dataset.json beside it");
  std::filesystem::copy_file(train / "00000.tok", train / "00001.tok");
  EXPECT_THAT(complaint(ExitCode::data, [&] { TokenSource source(train); }), HasSubstr("00001.tok: expected digest "));
  std::filesystem::rename(folder / "kept", train / "00001.tok");
  std::filesystem::copy_file(train / "00000.tok", train / "99999.tok");
  EXPECT_EQ(complaint(ExitCode::data, [&] { TokenSource source(train); }),
            (train / "99999.tok").string() + ": not listed in dataset.json beside it");
  std::filesystem::remove(train / "99999.tok");
  spill(train / "dataset.json", "{}");
  EXPECT_THAT(complaint(ExitCode::data, [&] { TokenSource source(train); }),
              HasSubstr("dataset.json: not the list of shards that `data prepare` writes"));
}

}  // namespace
}  // namespace peerless
