// Losses, logits, gradients and updates are those of PyTorch, as tests/golden/make.py wrote them down.
#include <gtest/gtest.h>

#include "tests/support/tensors.h"
#include "tests/support/worked_example.h"

namespace peerless {
namespace {

constexpr std::string_view kExpected = "expected.";

class Golden : public testing::TestWithParam<const char*> {};

TEST_P(Golden, ExampleIsReproduced) {
  const auto example = test::read_tensors(concat("tests/golden/", GetParam(), ".safetensors"));
  const test::TensorFile results{test::work(example), {}};
  int compared = 0;
  for (const auto& [name, expected, slice] : example.tensors) {
    if (!name.starts_with(kExpected)) continue;
    // Losses are fp64 in any model; a table's rows are said in parts here, in PyTorch whole.
    const auto result = results.at(name.substr(kExpected.size())).to(expected.dtype()).view_as(expected);
    EXPECT_TRUE(test::near(result, expected)) << name;
    ++compared;
  }
  EXPECT_GT(compared, 0);
}

// With products in bf16, losses and logits stay near; layers and steps add up their roundings. (A retrieval that hangs
// on bf16's rounding of x gives its gradient to another row.)
TEST_P(Golden, ExampleIsNearInBf16) {
  auto example = test::read_tensors(concat("tests/golden/", GetParam(), ".safetensors"));
  auto config = config::parse<test::ExampleConfig>(example.metadata.at("config"), "config");
  config.dtype = test::ExampleDType::bf16;
  example.metadata.at("config") = config::dump(config);
  const test::TensorFile results{test::work(example), {}};
  int compared = 0;
  for (const auto& [name, expected, slice] : example.tensors) {
    if (name != "expected.loss" && !name.ends_with("logits")) continue;
    EXPECT_LT(test::error(results.at(name.substr(kExpected.size())), expected), 3 * test::tolerance(at::kBFloat16))
        << name;
    ++compared;
  }
  EXPECT_EQ(compared, 2);
}

INSTANTIATE_TEST_SUITE_P(, Golden, testing::Values("llama", "decoder", "peer", "peer_options", "mixtures", "memory"),
                         [](const auto& test) { return std::string(test.param); });

}  // namespace
}  // namespace peerless
