#include "peerless/data/data_config.h"

#include <gtest/gtest.h>

#include "peerless/config/config.h"
#include "tests/data/shards.h"

namespace peerless {
namespace {

std::string refusal(std::vector<ValSetConfig> val) {
  return complaint(ExitCode::config, [&] { DataConfig{.train = {{.path = "t"}}, .val = std::move(val)}.check(); });
}

TEST(DataConfig, NamesOfValidationSetsDiffer) {
  EXPECT_EQ(refusal({{"a", "x"}, {"b", "y-1.2_z"}}), "");
  EXPECT_EQ(refusal({{"a", "x"}, {"b", "x"}}), "val: two sets are named \"x\"");
  EXPECT_EQ(refusal({{"a", "x/y\n"}}),
            "val: name \"x/y\\x0a\" becomes part of metric names; only letters, digits and _ - . may be in it");
}

// global_batch_size * seq_len and the like are computed in 64 bits.
TEST(DataConfig, SizesCannotOverflow) {
  const auto parsed = [](std::string_view seq_len) {
    return complaint(ExitCode::config, [&] {
      config::parse<DataConfig>(concat("{train: [{path: t}], seq_len: ", seq_len, "}"), "run.yaml");
    });
  };
  EXPECT_EQ(parsed("1073741824"), "");
  EXPECT_EQ(parsed("1073741825"), "run.yaml:1:31: seq_len: must be >= 1 and <= 1073741824, got 1073741825");
}

}  // namespace
}  // namespace peerless
