#include "peerless/checkpoint/manifest.h"

#include <gtest/gtest.h>

#include "tests/support/complaint.h"

namespace peerless {
namespace {

using test::complaint;
using test::Complaint;

Manifest example() {
  return {{.step = 100,
           .run = "r1",
           .program = "0.1.0",
           .config = "seed: 1\nname: \"ü\"\n",
           .tokenizer = {1, 2},
           .data = {3, 4},
           .data_sources = {"a: 5 tokens"}},
          {{"state-0.safetensors", 123, {5, 6}, {9}}, {"state-1.safetensors", (1 << 20) + 1, {7, 8}, {10, 11}}},
          {{"w", DType::f32, {4, 3}, {{0, {{0, 0}, {2, 3}}}, {1, {{2, 0}, {2, 3}}}}},
           {"step", DType::i64, {}, {{0, {{}, {}}}}}}};
}

// The text with a digest that fits it, as a careful forger would write it.
std::string signed_text(std::string body) {
  body.resize(body.rfind(" \"digest\""));
  return concat(body, " \"digest\": \"", digest(body).hex(), "\"}\n");
}

// The complaint about the example with `from` replaced by `to`.
Complaint forged(std::string_view from, std::string_view to) {
  auto text = example().text();
  const auto at = text.find(from);
  EXPECT_NE(at, std::string::npos) << from;
  text = signed_text(text.replace(at, from.size(), to));
  return complaint([&] { Manifest::parse(text, "MANIFEST.json"); });
}

Complaint data(std::string_view text) { return {ExitCode::data, concat("MANIFEST.json: ", text)}; }

TEST(Manifest, ReadsBack) {
  EXPECT_EQ(Manifest::parse(example().text(), "MANIFEST.json"), example());
  EXPECT_EQ(Manifest::parse(Manifest().text(), "MANIFEST.json"), Manifest());
}

TEST(Manifest, IsJsonWithALinePerFileAndTensor) {
  EXPECT_TRUE(example().text().starts_with(R"({"format": "peerless checkpoint",
 "version": 2,
 "step": 100,
 "run": "r1",
 "program": "0.1.0",
 "tokenizer": "00000000000000010000000000000002",
 "data": "00000000000000030000000000000004",
 "data_sources": [
  "a: 5 tokens"
 ],
 "config": "seed: 1\nname: \"ü\"\n",
 "files": [
  {"name":"state-0.safetensors","bytes":123,"xxh3_128":"00000000000000050000000000000006","blocks":"0000000000000009"},
  {"name":"state-1.safetensors","bytes":1048577,"xxh3_128":"00000000000000070000000000000008","blocks":"000000000000000a000000000000000b"}
 ],
 "tensors": [
  {"name":"w","dtype":"F32","shape":[4,3],"slices":[{"file":0,"offset":[0,0],"extent":[2,3]},{"file":1,"offset":[2,0],"extent":[2,3]}]},
  {"name":"step","dtype":"I64","shape":[],"slices":[{"file":0,"offset":[],"extent":[]}]}
 ],
 "digest": ")"))
      << example().text();
}

TEST(Manifest, EveryTruncationAndEveryFlippedBitIsRefused) {
  const auto whole = example().text();
  const auto broken = data("cut short or changed since it was written: its digest differs");
  for (std::size_t size = 0; size < whole.size(); ++size) {
    ASSERT_EQ(complaint([&] { Manifest::parse(whole.substr(0, size), "MANIFEST.json"); }), broken);
  }
  for (std::size_t bit = 0; bit < 8 * whole.size(); ++bit) {
    auto flipped = whole;
    flipped[bit / 8] = static_cast<char>(flipped[bit / 8] ^ (1 << bit % 8));
    ASSERT_EQ(complaint([&] { Manifest::parse(flipped, "MANIFEST.json"); }), broken);
  }
  EXPECT_EQ(complaint([&] { Manifest::parse(whole + "\n", "MANIFEST.json"); }), broken);
}

TEST(Manifest, OfALaterVersionSaysSo) {
  EXPECT_EQ(forged("\"version\": 2", "\"version\": 3"),
            data("format version 3, written by a newer peerless; this one reads version 2"));
}

TEST(Manifest, OfAnotherFormatIsRefused) {
  EXPECT_EQ(forged("peerless checkpoint", "something else"), data("format must be the one this program writes"));
  EXPECT_EQ(forged("\"version\": 2", "\"version\": 0"), data("format must be the one this program writes"));
  EXPECT_EQ(forged("\"run\": ", "\"more\": 1, \"run\": "), data("the manifest must be an object of 12 members"));
  EXPECT_EQ(forged("\"run\"", "\"step\""), data("key \"step\" twice"));
}

TEST(Manifest, FieldsMustHaveTheirTypes) {
  EXPECT_EQ(forged("\"step\": 100", "\"step\": -1"), data("step must be an integer >= 0"));
  EXPECT_EQ(forged("\"step\": 100", "\"step\": 1.5"), data("step must be an integer >= 0"));
  EXPECT_EQ(forged("\"run\": \"r1\"", "\"run\": 3"), data("run must be a string"));
  EXPECT_EQ(forged("00000000000000010000000000000002", "zz"),
            data("tokenizer: a digest has 32 hexadecimal digits, got \"zz\""));
  EXPECT_EQ(forged("\"F32\"", "\"F33\""), data("tensor \"w\": unknown element type \"F33\""));
  EXPECT_EQ(forged("\"bytes\":123", "\"bytes\":null"), data("bytes must be an integer >= 0"));
  EXPECT_EQ(forged("\"bytes\":123", "\"bytes\":123,\"more\":1"),
            data("a file must be name, bytes, xxh3_128 and blocks"));
  EXPECT_EQ(forged("\"version\": 2", "\"version\": 1"), data("a file must be name, bytes and xxh3_128"));
}

TEST(Manifest, EachMiBHasAChecksum) {
  const auto wrong = data("blocks must be 16 hexadecimal digits for each MiB");
  EXPECT_EQ(forged("\"0000000000000009\"", "\"\""), wrong);
  EXPECT_EQ(forged("\"0000000000000009\"", "\"000000000000009\""), wrong);
  EXPECT_EQ(forged("\"0000000000000009\"", "\"00000000000000090\""), wrong);
  EXPECT_EQ(forged("\"0000000000000009\"", "\"000000000000000x\""), wrong);
  EXPECT_EQ(forged("\"0000000000000009\"", "\"0x00000000000009\""), wrong);
  EXPECT_EQ(forged("\"bytes\":1048577", "\"bytes\":1048576"), wrong);
  EXPECT_EQ(forged("\"bytes\":1048577", "\"bytes\":9223372036854775807"), wrong);
}

TEST(Manifest, FileNamesCannotLeaveTheFolder) {
  for (const std::string name : {"", "..", "../x", "/x", "a/b", "a\\\\b", ".hidden", "a\\u0000b", "MANIFEST.json"}) {
    const auto refusal = forged("state-0.safetensors", name);
    EXPECT_EQ(refusal.code, ExitCode::data);
    EXPECT_TRUE(refusal.text.ends_with("is refused")) << refusal.text;
  }
  EXPECT_EQ(forged("state-0.safetensors", "../x"), data("file name \"../x\" is refused"));
  EXPECT_EQ(forged("state-0", "state-1"), data("file \"state-1.safetensors\" twice"));
}

TEST(Manifest, SlicesMustTileTheirTensor) {
  const auto tiled = data("tensor \"w\" must be covered by its slices, each element once");
  const auto inside = data("a slice must be inside its tensor, in a file of the list");
  EXPECT_EQ(forged(R"("offset":[2,0],"extent":[2,3])", R"("offset":[3,0],"extent":[1,3])"), tiled);
  EXPECT_EQ(forged(R"("offset":[2,0],"extent":[2,3])", R"("offset":[1,0],"extent":[3,3])"), tiled);
  EXPECT_EQ(forged(R"("offset":[2,0],"extent":[2,3])", R"("offset":[2,0],"extent":[3,3])"), inside);
  EXPECT_EQ(forged(R"("offset":[2,0])", R"("offset":[9223372036854775807,0])"), inside);
  EXPECT_EQ(forged(R"("offset":[2,0])", R"("offset":[2])"), inside);
  EXPECT_EQ(forged(R"({"file":1)", R"({"file":2)"), inside);
  EXPECT_EQ(forged("[4,3]", "[4611686018427387904,4611686018427387904]"),
            data("tensor \"w\" must be smaller than 2^63 bytes"));
  EXPECT_EQ(forged("\"name\":\"step\"", "\"name\":\"w\""), data("tensor \"w\" twice"));
}

}  // namespace
}  // namespace peerless
