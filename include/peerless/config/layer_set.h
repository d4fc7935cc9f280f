// A set of layers as a config says it, numbers and inclusive ranges, counted from 0: `at: [2, 5-9, 12]`.
#pragma once

#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peerless {

struct LayerRange {
  static constexpr std::string_view type_name = "layer range";
  static constexpr std::string_view form = "a layer (2) or a range of layers (5-9)";
  static constexpr std::string_view pattern = R"(^[0-9]+(-[0-9]+)?$)";

  std::int64_t first = 0;
  std::int64_t last = 0;  // included; not below first

  static std::optional<LayerRange> parse(std::string_view text);
  std::string text() const;

  bool operator==(const LayerRange&) const = default;
};

struct LayerSet : std::vector<LayerRange> {
  using std::vector<LayerRange>::vector;

  bool contains(std::int64_t layer) const;
  std::int64_t highest() const;  // -1 when empty
};

}  // namespace peerless
