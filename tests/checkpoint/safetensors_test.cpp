#include "peerless/checkpoint/safetensors.h"

#include <gtest/gtest.h>

#include <cstring>

#include "peerless/base/random.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

using safetensors::Header;

// A file: the length of `json`, `json`, and `data_bytes` zeros.
std::string file_of(std::string_view json, std::size_t data_bytes) {
  std::string bytes(8, '\0');
  const std::uint64_t length = json.size();
  std::memcpy(bytes.data(), &length, 8);
  return bytes + std::string(json) + std::string(data_bytes, '\0');
}

Header read(std::string bytes, std::uint64_t max_header = safetensors::kMaxHeader) {
  MemoryFiles files;
  files.put("/a.safetensors", std::move(bytes));
  return safetensors::read_header(*files.open("/a.safetensors"), "a.safetensors", max_header);
}

// What is said about a file that is refused.
std::string refusal(std::string bytes, std::uint64_t max_header = safetensors::kMaxHeader) {
  try {
    read(std::move(bytes), max_header);
  } catch (const Error& error) {
    EXPECT_EQ(error.code(), ExitCode::data);
    return error.what();
  }
  return "accepted";
}

std::string refusal_of(std::string_view json, std::size_t data_bytes = 0) { return refusal(file_of(json, data_bytes)); }

TEST(Safetensors, HeaderIsWrittenAsTheFormatSays) {
  const auto header =
      safetensors::lay_out({{"w", DType::f32, {2, 3}}, {"flag", DType::boolean, {}}}, {{"format", "pt"}});
  const std::string json = R"({"__metadata__":{"format":"pt"},"w":{"dtype":"F32","shape":[2,3],"data_offsets":[0,24]},)"
                           R"("flag":{"dtype":"BOOL","shape":[],"data_offsets":[24,25]}})";
  const auto padded = json + std::string((8 - json.size() % 8) % 8, ' ');
  EXPECT_EQ(safetensors::encode(header), file_of(padded, 0));
  EXPECT_EQ(header.data_begin, 8 + padded.size());
  EXPECT_EQ(header.file_size(), 8 + padded.size() + 25);
}

TEST(Safetensors, HeaderReadsBack) {
  const auto header =
      safetensors::lay_out({{"b\n\"ü", DType::bf16, {5}}, {"a", DType::i64, {}}, {"none", DType::f32, {0, 3}}},
                           {{"format", "pt"}, {"more", "text"}});
  const auto found = read(safetensors::encode(header) + std::string(18, 'x'));
  EXPECT_EQ(found.tensors, header.tensors);
  EXPECT_EQ(found.metadata, header.metadata);
  EXPECT_EQ(found.data_begin, header.data_begin);
}

TEST(Safetensors, WithoutTensorsIsAFileToo) {
  EXPECT_TRUE(read(file_of("{}", 0)).tensors.empty());
  EXPECT_TRUE(read(safetensors::encode(safetensors::lay_out({}, {}))).tensors.empty());
}

TEST(Safetensors, TensorsMayComeInAnyOrder) {
  const auto header = read(file_of(R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[2,3]},)"
                                   R"("b":{"dtype":"F16","shape":[1],"data_offsets":[0,2]}})",
                                   3));
  ASSERT_EQ(header.tensors.size(), 2u);
  EXPECT_EQ(header.tensors[0].name, "b");
  EXPECT_EQ(header.tensors[1].name, "a");
}

TEST(Safetensors, RefusesWhatIsNoSafetensorsFile) {
  EXPECT_EQ(refusal("1234567"), "a.safetensors: too short for a safetensors file: 7 bytes");
  EXPECT_EQ(refusal(std::string(8, '\xff')),
            "a.safetensors: a header of 18446744073709551615 bytes exceeds the limit of 100000000");
  EXPECT_EQ(refusal(file_of("{}", 0).substr(0, 9)),
            "a.safetensors: a header of 2 bytes does not fit the file of 9 bytes");
  EXPECT_EQ(refusal(file_of("{} ", 0), 2), "a.safetensors: a header of 3 bytes exceeds the limit of 2");
  EXPECT_EQ(refusal_of(""), "a.safetensors: the header must begin with '{'");
  EXPECT_EQ(refusal_of(" {}"), "a.safetensors: the header must begin with '{'");
  EXPECT_EQ(refusal_of("[]"), "a.safetensors: the header must begin with '{'");
  EXPECT_TRUE(refusal_of("{").starts_with("a.safetensors: invalid JSON: "));
  EXPECT_TRUE(refusal_of("{}{}").starts_with("a.safetensors: invalid JSON: "));
  EXPECT_TRUE(refusal_of("{\"\xff\":1}").starts_with("a.safetensors: invalid JSON: "));
  EXPECT_TRUE(refusal_of("{\"a\":1e999}").starts_with("a.safetensors: invalid JSON: "));
  EXPECT_TRUE(refusal_of(std::string("{}\0", 3)).starts_with("a.safetensors: invalid JSON: "));
}

TEST(Safetensors, RefusesNamesThatComeTwice) {
  EXPECT_EQ(
      refusal_of(
          R"({"a":{"dtype":"U8","shape":[1],"data_offsets":[0,1]},"a":{"dtype":"U8","shape":[1],"data_offsets":[1,2]}})",
          2),
      "a.safetensors: key \"a\" twice");
  EXPECT_EQ(refusal_of(R"({"a":{"dtype":"U8","shape":[1],"shape":[1],"data_offsets":[0,1]}})", 1),
            "a.safetensors: key \"shape\" twice");
  EXPECT_EQ(refusal_of(R"({"__metadata__":{},"__metadata__":{}})"), "a.safetensors: key \"__metadata__\" twice");
}

TEST(Safetensors, RefusesMetadataThatIsNoText) {
  EXPECT_EQ(refusal_of(R"({"__metadata__":[]})"), "a.safetensors: __metadata__ must be an object");
  EXPECT_EQ(refusal_of(R"({"__metadata__":{"step":3}})"), "a.safetensors: __metadata__ \"step\" must be a string");
}

TEST(Safetensors, RefusesATensorOutOfForm) {
  const auto of = [](std::string_view value) { return refusal_of(concat("{\"a\":", value, "}"), 4); };
  const std::string form = "a.safetensors: tensor \"a\": must have dtype, shape and data_offsets, and nothing else";
  EXPECT_EQ(of("3"), form);
  EXPECT_EQ(of("null"), form);
  EXPECT_EQ(of(R"({"dtype":"F32","shape":[1]})"), form);
  EXPECT_EQ(of(R"({"dtype":"F32","shape":[1],"data_offsets":[0,4],"more":1})"), form);
  EXPECT_EQ(of(R"({"dtype":3,"shape":[1],"data_offsets":[0,4]})"),
            "a.safetensors: tensor \"a\": dtype must be a string");
  EXPECT_EQ(of(R"({"dtype":"F4","shape":[1],"data_offsets":[0,4]})"),
            "a.safetensors: tensor \"a\": unknown element type \"F4\"");
  for (const char* shape : {"1", "[-1]", "[1.0]", "[\"1\"]", "[[1]]", "[9223372036854775808]", "[1e0]"}) {
    EXPECT_EQ(of(concat(R"({"dtype":"F32","shape":)", shape, R"(,"data_offsets":[0,4]})")),
              "a.safetensors: tensor \"a\": shape must be a list of integers >= 0");
  }
  for (const char* offsets : {"4", "[4]", "[0,4,4]", "[4,0]", "[-4,0]"}) {
    EXPECT_EQ(of(concat(R"({"dtype":"F32","shape":[1],"data_offsets":)", offsets, "}")),
              "a.safetensors: tensor \"a\": data_offsets must be two integers, 0 <= begin <= end");
  }
}

TEST(Safetensors, RefusesSizesThatDoNotFit) {
  EXPECT_EQ(refusal_of(R"({"a":{"dtype":"F32","shape":[2],"data_offsets":[0,4]}})", 4),
            "a.safetensors: tensor \"a\": dtype and shape make 8 bytes, data_offsets 4");
  EXPECT_EQ(refusal_of(R"({"a":{"dtype":"F32","shape":[4294967296,4294967296],"data_offsets":[0,0]}})"),
            "a.safetensors: tensor \"a\": its size does not fit 64 bits");
}

TEST(Safetensors, RefusesHolesOverlapsAndBytesThatBelongToNoTensor) {
  const auto two = [](int begin, int end, std::size_t data_bytes) {
    return refusal_of(concat(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[0,4]},"b":{"dtype":"U8","shape":[)",
                             end - begin, R"(],"data_offsets":[)", begin, ",", end, "]}}"),
                      data_bytes);
  };
  EXPECT_EQ(two(4, 6, 6), "accepted");
  EXPECT_EQ(two(5, 6, 6), "a.safetensors: tensor \"b\" begins at byte 5 of the data, expected 4: no holes, no overlap");
  EXPECT_EQ(two(3, 6, 6), "a.safetensors: tensor \"b\" begins at byte 3 of the data, expected 4: no holes, no overlap");
  EXPECT_EQ(two(4, 6, 7), "a.safetensors: the tensors cover 6 bytes of data, the file holds 7");
  EXPECT_EQ(two(4, 6, 5), "a.safetensors: the tensors cover 6 bytes of data, the file holds 5");
  EXPECT_EQ(refusal_of(R"({"a":{"dtype":"U8","shape":[4],"data_offsets":[1,5]}})", 5),
            "a.safetensors: tensor \"a\" begins at byte 1 of the data, expected 0: no holes, no overlap");
}

TEST(Safetensors, DeepJsonIsRefusedBeforeItIsBuilt) {
  EXPECT_EQ(refusal_of("{\"a\":" + std::string(1'000'000, '[')), "a.safetensors: JSON deeper than 8 levels");
}

TEST(Safetensors, EveryTruncationIsRefused) {
  const auto whole = safetensors::encode(safetensors::lay_out({{"w", DType::f32, {2, 3}}}, {})) + std::string(24, 'x');
  EXPECT_EQ(refusal(whole), "accepted");
  for (std::size_t size = 0; size < whole.size(); ++size) EXPECT_NE(refusal(whole.substr(0, size)), "accepted") << size;
}

TEST(Safetensors, ChangedBytesAreAcceptedOnlyWhenTheyStillTileTheFile) {
  const auto whole = safetensors::encode(safetensors::lay_out({{"w", DType::f32, {2, 3}}, {"v", DType::i8, {5}}}, {})) +
                     std::string(29, 'x');
  const RandomStream random(1, 2);
  for (std::uint64_t trial = 0; trial < 50'000; ++trial) {
    auto changed = whole;
    for (std::uint64_t i = 0; i <= trial % 3; ++i) {
      changed[random.below(whole.size(), 6 * trial + 2 * i)] = static_cast<char>(random.bits(6 * trial + 2 * i + 1));
    }
    try {
      const auto header = read(changed);
      ASSERT_EQ(header.file_size(), changed.size());
    } catch (const Error& error) {
      ASSERT_LT(std::strlen(error.what()), 4096u);
    }
  }
}

}  // namespace
}  // namespace peerless
