#include "peerless/config/layer_set.h"

#include <algorithm>

#include "peerless/config/scalar.h"

namespace peerless {

std::optional<LayerRange> LayerRange::parse(std::string_view text) {
  if (text.find_first_not_of("0123456789-") != std::string_view::npos) return std::nullopt;
  const auto dash = text.find('-');
  const auto first = exact_decimal(text.substr(0, dash), 0);
  const auto last = dash == std::string_view::npos ? first : exact_decimal(text.substr(dash + 1), 0);
  if (!first || !last || *first > *last) return std::nullopt;
  return LayerRange{*first, *last};
}

std::string LayerRange::text() const {
  return first == last ? std::to_string(first) : std::to_string(first) + "-" + std::to_string(last);
}

bool LayerSet::contains(std::int64_t layer) const {
  return std::any_of(begin(), end(), [&](const LayerRange& r) { return r.first <= layer && layer <= r.last; });
}

std::int64_t LayerSet::highest() const {
  std::int64_t highest = -1;
  for (const LayerRange& r : *this) highest = std::max(highest, r.last);
  return highest;
}

}  // namespace peerless
