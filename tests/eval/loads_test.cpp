#include "peerless/eval/loads.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <torch/types.h>

namespace peerless {
namespace {

using testing::ElementsAre;
using testing::HasSubstr;

int count(const std::string& text, const std::string& part) {
  int found = 0;
  for (auto at = text.find(part); at != std::string::npos; at = text.find(part, at + 1)) ++found;
  return found;
}

TEST(Loads, AreTheStatisticsByLayer) {
  Stats stats;
  stats.set("1.load", torch::tensor({3, 0, 5}));
  stats.set("2.weight", torch::tensor({0.5, 0.25}, at::kDouble));
  const auto loads = loads_of(stats);
  ASSERT_EQ(loads.size(), 2u);
  EXPECT_EQ(loads[0].name, "layers.1.load");
  EXPECT_THAT(loads[0].of, ElementsAre(3, 0, 5));
  EXPECT_EQ(loads_json(loads).dump(), R"({"layers.1.load":[3.0,0.0,5.0],"layers.2.weight":[0.5,0.25]})");
}

// Three experts of loads 3, 0, 6: bars of 1, 0 and 2 times the mean, the highest as high as the plot.
TEST(Loads, StandInOrderAsMultiplesOfTheMean) {
  const auto svg = loads_svg("a set", {{"layers.1.load", {3, 0, 6}}});
  EXPECT_THAT(svg, HasSubstr("a set"));
  EXPECT_THAT(svg, HasSubstr("layers.1.load: 3 in their order; 1 is even"));
  EXPECT_EQ(count(svg, "height=\"46.00\"/>"), 1);
  EXPECT_EQ(count(svg, "height=\"0.00\"/>"), 1);
  EXPECT_EQ(count(svg, "height=\"92.00\"/>"), 1);
}

TEST(Loads, ManyRowsAreSortedAndShareBars) {
  std::vector<double> rows(1000, 1);
  rows[700] = 500;
  const auto svg = loads_svg("", {{"layers.2.count", rows}, {"layers.2.weight", rows}});
  EXPECT_EQ(count(svg, "layers.2.count: 1000, fullest first, 8 to a bar; 1 is even"), 1);
  EXPECT_EQ(count(svg, "<rect x="), 2 * 125);
}

TEST(Loads, NamesCannotBreakTheImage) {
  EXPECT_THAT(loads_svg("a<b>&\n", {{"x", {1}}}), HasSubstr("a&lt;b>&amp;\\x0a"));
}

TEST(Loads, NothingAtAllIsAnEmptyPanel) { EXPECT_EQ(count(loads_svg("", {{"x", {0, 0}}}), "height=\"0.00\"/>"), 2); }

}  // namespace
}  // namespace peerless
