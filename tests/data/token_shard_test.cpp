#include "peerless/data/token_shard.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/stat.h>

#include <cstring>

#include "src/data/token_shard_layout.h"
#include "tests/data/shards.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using testing::HasSubstr;
using testing::StartsWith;
using token_shard::Head;
using token_shard::Trailer;

class Shard : public testing::Test {
 protected:
  TemporaryFolder folder;
  Path file = folder / "a.tok";

  std::vector<std::int64_t> all_tokens() const {
    const TokenShard shard(file);
    std::vector<std::int64_t> tokens(shard.tokens());
    shard.copy(0, tokens);
    return tokens;
  }
  std::string refusal(ExitCode code = ExitCode::data) const {
    return complaint(code, [&] { TokenShard(file).verify(); });
  }
  // The file with one byte replaced.
  void put(std::size_t at, char byte) {
    auto bytes = slurp(file);
    bytes[at] = byte;
    spill(file, bytes);
  }
};

TEST_F(Shard, GivesBackWhatWasWritten) {
  const auto documents = counting_documents({5, 2, 9, 3});
  const auto digest = write_shard(file, documents);
  const TokenShard shard(file);
  EXPECT_EQ(all_tokens(), concatenated(documents));
  EXPECT_EQ(shard.tokens(), 19u);
  EXPECT_EQ(shard.documents(), 4u);
  EXPECT_EQ(shard.raw_bytes(), 190u);
  EXPECT_EQ(shard.first_token(2), 7u);
  EXPECT_EQ(shard.raw_bytes(2), 90u);
  EXPECT_EQ(shard.tokenizer(), tokenizer_of(100));
  EXPECT_EQ(shard.digest(), digest);
  EXPECT_EQ(shard.token_width(), 2);
  shard.verify();
}

TEST_F(Shard, CountsTheDocumentsBeforeAToken) {
  write_shard(file, counting_documents({5, 2, 9, 3}));
  const TokenShard shard(file);
  const std::vector<std::uint64_t> starts = {0, 5, 7, 16};
  for (std::uint64_t token = 0; token <= 19; ++token) {
    const auto expected = std::count_if(starts.begin(), starts.end(), [&](auto start) { return start < token; });
    EXPECT_EQ(shard.documents_before(token), static_cast<std::uint64_t>(expected)) << token;
  }
}

TEST_F(Shard, LargeVocabulariesTakeFourBytes) {
  Documents documents = {{kBos, 65536, 99999, kEos}};
  write_shard(file, documents, tokenizer_of(100000));
  EXPECT_EQ(all_tokens(), concatenated(documents));
  EXPECT_EQ(TokenShard(file).token_width(), 4);
  write_shard(folder / "b.tok", {{kBos, 65535}}, tokenizer_of(65536));
  EXPECT_EQ(TokenShard(folder / "b.tok").token_width(), 2);
}

TEST_F(Shard, ReachesOverManyBlocks) {
  const auto documents = counting_documents(random_lengths(2000, 2000));
  write_shard(file, documents);
  EXPECT_GT(std::filesystem::file_size(file), 3u << 20);
  EXPECT_EQ(all_tokens(), concatenated(documents));
  TokenShard(file).verify();
}

TEST_F(Shard, TokenizersMayHaveNoBosAndNoEos) {
  write_shard(file, {{5, 6}}, {{1, 2}, 100, std::nullopt, std::nullopt});
  EXPECT_EQ(TokenShard(file).tokenizer().bos, std::nullopt);
  EXPECT_EQ(TokenShard(file).tokenizer().eos, std::nullopt);
}

// Its layout is promised: docs/formats/token-shard.md.
TEST_F(Shard, TheBytesOfASmallShard) {
  write_shard(file, {{1, 3, 2}});
  const auto bytes = slurp(file);
  ASSERT_EQ(bytes.size(), 5u * 64);
  EXPECT_EQ(bytes.substr(0, 8), "PLTOKENS");
  EXPECT_EQ(bytes.substr(8, 24), std::string("\1\0\0\0\2\0\0\0d\0\0\0\1\0\0\0\2\0\0\0\0\0\0\0", 24));
  EXPECT_EQ(bytes.substr(64, 8), std::string("\1\0\3\0\2\0\0\0", 8)) << "tokens";
  EXPECT_EQ(bytes.substr(128, 16), std::string("\0\0\0\0\0\0\0\0\36\0\0\0\0\0\0\0", 16)) << "documents";
  EXPECT_EQ(bytes.substr(256, 24), std::string("\3\0\0\0\0\0\0\0\1\0\0\0\0\0\0\0\36\0\0\0\0\0\0\0", 24)) << "trailer";
  EXPECT_EQ(bytes.substr(312), "PLTOKENZ");
}

// ---- refusals ------------------------------------------------------------------------------------------------------

TEST_F(Shard, EveryFlippedBitIsNoticed) {
  write_shard(file, counting_documents({5, 2, 9, 3}));
  const auto good = slurp(file);
  for (std::size_t bit = 0; bit < 8 * good.size(); ++bit) {
    auto bad = good;
    bad[bit / 8] ^= static_cast<char>(1 << bit % 8);
    spill(file, bad);
    ASSERT_THAT(refusal(), StartsWith(file.string() + ": ")) << "bit " << bit;
  }
}

// A shard of the documents {7, 7} whose fields can be changed: all checksums are made anew.
class Forged : public Shard {
 protected:
  Head head;
  Trailer trailer;
  std::string documents;

  void SetUp() override {
    write_shard(file, counting_documents({7, 7}));
    const auto good = slurp(file);
    std::memcpy(&head, good.data(), sizeof(head));
    tokens_ = good.substr(64, 64);
    documents = good.substr(128, 64);
    table_ = good.substr(192, 64);
    std::memcpy(&trailer, good.data() + 256, sizeof(trailer));
    ASSERT_EQ(forge(), "");
  }
  void set(std::size_t index, std::uint64_t value) { std::memcpy(&documents[8 * index], &value, sizeof(value)); }

  // What the forged shard is refused with, behind its name.
  std::string forge() {
    trailer.head_checksum = checksum(token_shard::bytes_of(head));
    trailer.documents_checksum = checksum(documents);
    trailer.own_checksum = token_shard::own_checksum(trailer);
    const auto text = [](const auto& part) { return std::string(reinterpret_cast<const char*>(&part), sizeof(part)); };
    spill(file, text(head) + tokens_ + documents + table_ + text(trailer));
    const auto what = refusal();
    EXPECT_THAT(what, testing::AnyOf("", StartsWith(file.string() + ": ")));
    return what.empty() ? "" : what.substr(file.string().size() + 2);
  }

 private:
  std::string tokens_, table_;
};

TEST_F(Forged, AHeadThatCannotBeIsRefused) {
  head.token_width = 3;
  EXPECT_EQ(forge(), "damaged head: token width 3, expected 2 or 4");
  head.token_width = 2;
  head.vocab_size = 0;
  EXPECT_EQ(forge(), "damaged head: a vocabulary of 0 tokens, expected 1 to 65536");
  head.vocab_size = 65537;
  EXPECT_EQ(forge(), "damaged head: a vocabulary of 65537 tokens, expected 1 to 65536");
  head.vocab_size = 100;
  head.eos = 100;
  EXPECT_EQ(forge(), "damaged head: bos or eos 100 outside the vocabulary of 100 tokens");
  head.eos = 2;
  head.bos = -2;
  EXPECT_EQ(forge(), "damaged head: bos or eos -2 outside the vocabulary of 100 tokens");
}

TEST_F(Forged, CountsThatDoNotFitTheFileAreRefused) {
  trailer.num_tokens = 0;
  EXPECT_EQ(forge(), "holds no tokens");
  trailer.num_tokens = 33;
  EXPECT_EQ(forge(), "expected 384 bytes for 33 tokens in 2 documents, found 320");
  trailer.num_tokens = std::uint64_t{1} << 63;
  EXPECT_EQ(forge(), "expected another size for 9223372036854775808 tokens in 2 documents, found 320");
  trailer.num_tokens = 14;
  trailer.num_documents = 0;
  EXPECT_EQ(forge(), "holds no tokens");
  trailer.num_documents = (std::uint64_t{1} << 60) + 2;
  EXPECT_EQ(forge(), "expected another size for 14 tokens in 1152921504606846978 documents, found 320");
}

TEST_F(Forged, DocumentsThatDoNotFollowEachOtherAreRefused) {
  set(0, 1);
  EXPECT_EQ(forge(), "document 0 begins at token 1");
  set(0, 0), set(2, 0);
  EXPECT_EQ(forge(), "document 1 begins at token 0");
  set(2, 14);
  EXPECT_EQ(forge(), "document 1 begins at token 14");
  set(2, 7), set(3, 71);
  EXPECT_EQ(forge(), "expected documents of 140 bytes, found 141");
}

TEST_F(Forged, DocumentsThatBeginOrEndElsewhereAreFoundByVerify) {
  set(2, 6);
  EXPECT_EQ(forge(), "document 0 ends with the token 7, expected eos 2");
  set(2, 7);
  head.bos = 9;
  EXPECT_EQ(forge(), "document 0 begins with the token 1, expected bos 9");
  head.bos = head.eos = -1;
  EXPECT_EQ(forge(), "") << "where the tokenizer has none, nothing is expected";
}

TEST_F(Shard, EveryTruncationIsNoticedAtOpening) {
  write_shard(file, counting_documents({5, 2, 9, 3}));
  const auto good = slurp(file);
  for (std::size_t length = 0; length < good.size(); ++length) {
    spill(file, good.substr(0, length));
    EXPECT_THAT(complaint(ExitCode::data, [&] { TokenShard shard(file); }), HasSubstr("truncated")) << length;
  }
}

TEST_F(Shard, SaysWhatIsWrong) {
  const auto path = file.string();
  spill(file, "short");
  EXPECT_EQ(refusal(), path + ": truncated: 5 bytes, a token shard has at least 128");

  write_shard(folder / "good.tok", counting_documents({5, 2}));
  const auto good = slurp(folder / "good.tok");
  const auto with = [&](std::size_t at, std::string_view bytes) {
    auto bad = good;
    bad.replace(at, bytes.size(), bytes);
    spill(file, bad);
    return refusal();
  };
  EXPECT_EQ(with(0, "PK\3\4"),
            path + ": not a token shard: expected it to begin with \"PLTOKENS\", found \"PK\\x03\\x04KENS\"");
  EXPECT_EQ(with(8, "\2"), path + ": expected format version 1, found 2: written by another peerless");
  EXPECT_THAT(with(64, "\x05"), StartsWith(path + ": damaged: checksum of the tokens in block 0: expected "));
  EXPECT_THAT(with(128, "\x05"), StartsWith(path + ": damaged: checksum of the documents: expected "));
  EXPECT_THAT(with(16, "\x05"), StartsWith(path + ": damaged: checksum of the head: expected "));
  EXPECT_THAT(with(good.size() - 64, "\x05"), StartsWith(path + ": damaged: checksum of the trailer: expected "));

  spill(file, good.substr(0, 128) + good.substr(128 + 64));
  EXPECT_EQ(refusal(), path + ": expected 320 bytes for 7 tokens in 2 documents, found 256");
  spill(file, good + "x");
  EXPECT_THAT(refusal(),
              StartsWith(path + ": truncated or unfinished: expected it to end with \"PLTOKENZ\", found \""));
  spill(file, good.substr(0, good.size() - 64) + std::string(64, '\0') + good.substr(good.size() - 64));
  EXPECT_EQ(refusal(), path + ": expected 320 bytes for 7 tokens in 2 documents, found 384");
}

TEST_F(Shard, ATokenOutsideTheVocabularyIsNamed) {
  write_shard(file, {{kBos, 3, 99, kEos}, {kBos, 100, kEos}});
  const TokenShard shard(file);
  std::vector<std::int64_t> tokens(4);
  shard.copy(0, tokens);
  EXPECT_EQ(complaint(ExitCode::data, [&] { shard.copy(3, tokens); }),
            file.string() + ": token 5 has the id 100, outside the vocabulary of 100 tokens");
  EXPECT_EQ(refusal(), file.string() + ": token 5 has the id 100, outside the vocabulary of 100 tokens");
}

TEST_F(Shard, OnlyTheBlocksThatAreReadAreChecked) {
  write_shard(file, counting_documents({600000, 600000}));
  put(64 + (1 << 20) + 5, '\x7f');
  const TokenShard shard(file);
  std::vector<std::int64_t> tokens(1000);
  shard.copy(0, tokens);
  EXPECT_THAT(complaint(ExitCode::data, [&] { shard.copy((1 << 19) - 10, tokens); }), HasSubstr("in block 1"));
}

// No signal: a mapped file would end the process.
TEST_F(Shard, OneThatIsCutShortWhileItIsReadIsAnError) {
  write_shard(file, counting_documents({600000, 600000}));
  const TokenShard shard(file);
  std::vector<std::int64_t> tokens(1000);
  shard.copy(0, tokens);
  std::filesystem::resize_file(file, 1 << 20);
  EXPECT_EQ(complaint(ExitCode::io, [&] { shard.copy(700000, tokens); }),
            file.string() + ": cannot read 1048576 bytes at offset 1048640: the file ends before");
  EXPECT_EQ(complaint(ExitCode::io, [&] { shard.copy(523000, tokens); }), "");
}

TEST_F(Shard, OnlyRegularFilesAreOpened) {
  EXPECT_THAT(complaint(ExitCode::no_input, [&] { TokenShard shard(file); }), HasSubstr(file.string()));
  EXPECT_EQ(complaint(ExitCode::data, [&] { TokenShard shard(folder.path()); }),
            folder.path().string() + ": cannot open what is no regular file: Is a directory");
  ASSERT_EQ(::mkfifo(file.c_str(), 0600), 0);
  EXPECT_EQ(complaint(ExitCode::data, [&] { TokenShard shard(file); }),
            file.string() + ": cannot open what is no regular file: Invalid argument")
      << "and it does not wait for a writer";
  EXPECT_EQ(complaint(ExitCode::data, [&] { TokenShard shard("/dev/zero"); }),
            "/dev/zero: cannot open what is no regular file: Invalid argument");
}

}  // namespace
}  // namespace peerless
