#include "peerless/text/tokenizer.h"

#include <gtest/gtest.h>

#include "peerless/base/error.h"
#include "tests/support/complaint.h"
#include "tests/text/texts.h"

namespace peerless {
namespace {

using test::complaint;

TEST(ByteTokenizer, GivesBytesAndDecodesThem) {
  const auto tokenizer = open_tokenizer(ByteConfig{});
  EXPECT_EQ(tokenizer->encode("aé"), (std::vector<TokenId>{'a', 0xC3, 0xA9}));
  EXPECT_EQ(tokenizer->decode(std::vector<TokenId>{256, 'h', 'i', 257}), "hi");
  for (const auto& text : nasty_texts()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
  for (const auto& text : invalid_texts()) EXPECT_EQ(tokenizer->decode(tokenizer->encode(text)), text);
}

TEST(ByteTokenizer, TellsItsVocabulary) {
  const auto tokenizer = open_tokenizer(ByteConfig{});
  EXPECT_EQ(tokenizer->kind(), "byte");
  EXPECT_EQ(tokenizer->vocab_size(), 258);
  EXPECT_EQ(tokenizer->bos(), 256);
  EXPECT_EQ(tokenizer->eos(), 257);
  EXPECT_EQ(tokenizer->name(10), "<0x0A>");
  EXPECT_EQ(tokenizer->name(256), "<s>");
  EXPECT_EQ(tokenizer->bytes(257), "");
  EXPECT_EQ(tokenizer->losses(), "");
}

TEST(ByteTokenizer, ItsDigestIsInShardsAndMustNeverChange) {
  EXPECT_EQ(open_tokenizer(ByteConfig{})->digest().hex(), "b7e49adcab5a39a4197b357de4f54de4");
}

TEST(ByteTokenizer, RefusesAnIdOutsideTheVocabulary) {
  const auto tokenizer = open_tokenizer(ByteConfig{});
  for (const TokenId id : {-1, 258}) {
    EXPECT_EQ(complaint(ExitCode::data, [&] { tokenizer->decode(std::vector<TokenId>{id}); }),
              concat("token id ", id, " is outside the vocabulary of 258 tokens"));
  }
}

TEST(OpenTokenizer, AnAbsentModelIsNoInput) {
  EXPECT_EQ(complaint(ExitCode::no_input, [] { open_tokenizer(SentencePieceConfig{"/nowhere/at/all.model"}); }),
            "/nowhere/at/all.model: cannot open: No such file or directory");
}

}  // namespace
}  // namespace peerless
