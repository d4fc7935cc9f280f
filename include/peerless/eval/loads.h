// How the tokens of an evaluation spread over experts and table rows, whole: for programs and as a plot.
#pragma once

#include <nlohmann/json.hpp>
#include <string>
#include <string_view>
#include <vector>

#include "peerless/model/stats.h"

namespace peerless {

// One number per expert or row: "layers.2.load", pairs (token, expert); "layers.2.count" and "layers.2.weight" of
// tables, retrievals and the weight they got.
struct Load {
  std::string name;
  std::vector<double> of;
};

// From the statistics of an evaluation, in their order.
std::vector<Load> loads_of(const Stats& stats);

// {"layers.2.load": [...], ...}
nlohmann::ordered_json loads_json(const std::vector<Load>& loads);

// An SVG image, a panel each: bars as multiples of the mean, with a line at 1. Up to 128 experts stand in their order;
// more are sorted, the fullest first, and share bars.
std::string loads_svg(std::string_view title, const std::vector<Load>& loads);

}  // namespace peerless
