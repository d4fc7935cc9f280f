#include "peerless/data/data_config.h"

#include <gtest/gtest.h>

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

}  // namespace
}  // namespace peerless
