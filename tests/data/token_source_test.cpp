#include "peerless/data/token_source.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include "tests/data/shards.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using testing::HasSubstr;

class Source : public testing::Test {
 protected:
  TemporaryFolder folder;
};

TEST_F(Source, AFolderIsItsShardsInTheOrderOfTheirNames) {
  const auto a = counting_documents({4, 6}), b = counting_documents({3}), c = counting_documents({2, 2, 7});
  write_shard(folder / "00001.tok", b);
  write_shard(folder / "00000.tok", a);
  write_shard(folder / "00010.tok", c);
  spill(folder / "notes.txt", "not a shard");
  const TokenSource source(folder.path());

  auto expected = concatenated(a);
  for (const auto& part : {concatenated(b), concatenated(c)}) expected.insert(expected.end(), part.begin(), part.end());
  std::vector<std::int64_t> tokens(source.tokens());
  source.copy(0, tokens);
  EXPECT_EQ(tokens, expected);
  EXPECT_EQ(source.documents(), 6u);
  EXPECT_EQ(source.raw_bytes(), 240u);
  EXPECT_EQ(source.document(2).first_token, 10u);
  EXPECT_EQ(source.document(2).tokens, 3u);
  EXPECT_EQ(source.document(5).tokens, 7u);
  EXPECT_EQ(source.document(5).raw_bytes, 70u);
}

TEST_F(Source, ReadsAndCountsOverTheBordersOfShards) {
  const auto documents = counting_documents(random_lengths(40, 9));
  for (std::size_t i = 0; i < documents.size(); ++i) {
    write_shard(folder / concat(10 + i, ".tok"), {documents[i]});
  }
  const TokenSource source(folder.path());
  const auto all = concatenated(documents);
  for (std::uint64_t first = 0; first < all.size(); ++first) {
    for (std::uint64_t count = 0; first + count <= all.size(); count += 1 + count / 3) {
      std::vector<std::int64_t> tokens(count);
      source.copy(first, tokens);
      const auto begin = all.begin() + static_cast<std::ptrdiff_t>(first);
      const auto end = begin + static_cast<std::ptrdiff_t>(count);
      ASSERT_EQ(tokens, std::vector<std::int64_t>(begin, end)) << first << " " << count;
      ASSERT_EQ(source.documents_in(first, count), static_cast<std::uint64_t>(std::count(begin, end, kBos)));
    }
  }
}

TEST_F(Source, AFileAloneIsASource) {
  write_shard(folder / "one.tok", counting_documents({5}));
  EXPECT_EQ(TokenSource(folder / "one.tok").tokens(), 5u);
}

TEST_F(Source, ItsDigestIsThatOfContentAndOrderNotOfPlace) {
  const auto a = counting_documents({4, 6}), b = counting_documents({3});
  write_shard(folder / "x" / "1.tok", a), write_shard(folder / "x" / "2.tok", b);
  write_shard(folder / "y" / "3.tok", a), write_shard(folder / "y" / "4.tok", b);
  write_shard(folder / "z" / "1.tok", b), write_shard(folder / "z" / "2.tok", a);
  EXPECT_EQ(TokenSource(folder / "x").digest(), TokenSource(folder / "y").digest());
  EXPECT_NE(TokenSource(folder / "x").digest(), TokenSource(folder / "z").digest());
}

TEST_F(Source, AnAbsentOrEmptyFolderIsNoInput) {
  EXPECT_THAT(complaint(ExitCode::no_input, [&] { TokenSource source(folder / "none"); }), HasSubstr("none"));
  EXPECT_EQ(complaint(ExitCode::no_input, [&] { TokenSource source(folder.path()); }),
            folder.path().string() + ": no token shards (*.tok) in this folder; `peerless data prepare` makes them");
}

TEST_F(Source, WhatCannotBeLookedUpIsNoInput) {
  std::filesystem::create_symlink("loop", folder / "loop");
  EXPECT_EQ(complaint(ExitCode::no_input, [&] { TokenSource source(folder / "loop"); }),
            (folder / "loop").string() + ": cannot look up: Too many levels of symbolic links");
}

TEST_F(Source, AListOfShardsInAnotherFormatIsRefused) {
  write_shard(folder / "a.tok", {{1, 2}});
  spill(folder / "dataset.json", R"({"format": 2, "facts": {}, "shards": {}})");
  EXPECT_EQ(complaint(ExitCode::data, [&] { TokenSource source(folder.path()); }),
            (folder / "dataset.json").string() + ": expected format 1, found 2");
}

TEST_F(Source, EveryBadShardIsFound) {
  for (const auto* name : {"a.tok", "b.tok", "c.tok", "d.tok"}) write_shard(folder / name, {{1, 7, 2}});
  EXPECT_TRUE(faults(folder.path(), 2).empty());
  spill(folder / "b.tok", "short");
  std::filesystem::remove(folder / "d.tok");
  write_shard(folder / "d.tok", {{1, 7, 2}, {1, 7}});
  for (const std::int64_t threads : {1, 3}) {
    EXPECT_EQ(
        faults(folder.path(), threads),
        (std::vector<std::string>{(folder / "b.tok").string() + ": truncated: 5 bytes, a token shard has at least 128",
                                  (folder / "d.tok").string() + ": document 1 ends with the token 7, expected eos 2"}));
  }
  EXPECT_EQ(complaint(ExitCode::no_input, [&] { faults(folder / "none", 1); }),
            (folder / "none").string() + ": cannot open: No such file or directory");
}

TEST_F(Source, GoodShardsMayNotBelongTogether) {
  write_shard(folder / "a.tok", {{1, 2}});
  write_shard(folder / "b.tok", {{1, 2}}, tokenizer_of(50));
  EXPECT_THAT(faults(folder.path(), 2), testing::ElementsAre(HasSubstr("b.tok: made with another tokenizer than ")));
}

TEST_F(Source, ShardsOfDifferentTokenizersDoNotMix) {
  write_shard(folder / "a.tok", {{1, 2}});
  write_shard(folder / "b.tok", {{1, 2}}, tokenizer_of(50));
  EXPECT_THAT(complaint(ExitCode::data, [&] { TokenSource source(folder.path()); }),
              HasSubstr("b.tok: made with another tokenizer than " + (folder / "a.tok").string()));
}

TEST_F(Source, AnotherTokenizerThanTheRunsIsRefused) {
  write_shard(folder / "a.tok", {{1, 2}});
  const TokenSource source(folder.path());
  source.expect(tokenizer_of(100));
  EXPECT_EQ(
      complaint(ExitCode::config, [&] { source.expect(tokenizer_of(50)); }),
      folder.path().string() +
          ": made with the tokenizer 00000000000000070000000000000008 of 100 tokens, not with this run's "
          "00000000000000070000000000000009 of 50 tokens; prepare the data with this run's tokenizer, or name the "
          "one it was prepared with");
}

}  // namespace
}  // namespace peerless
