// One small config of each feed-forward block in FfwConfig: what tests of every block run for.
#pragma once

#include <gtest/gtest.h>

#include <ostream>
#include <string>
#include <utility>
#include <vector>

#include "peerless/model/ffw/ffw_kinds.h"

namespace peerless {

inline std::string kind_of(const FfwConfig& config) {
  return std::visit([](const auto& c) { return std::string(c.kind); }, config);
}
inline void PrintTo(const FfwConfig& config, std::ostream* out) { *out << kind_of(config); }

}  // namespace peerless

namespace peerless::test {

template <class... C>
std::vector<FfwConfig> one_of_each(std::variant<C...>*) {
  return {C::small()...};
}

// For INSTANTIATE_TEST_SUITE_P: a failure reads Of/Suite.Test/moe.
inline auto every_block() { return testing::ValuesIn(one_of_each(static_cast<FfwConfig*>(nullptr))); }
inline std::string name_of_block(const testing::TestParamInfo<FfwConfig>& info) { return kind_of(info.param); }

}  // namespace peerless::test
