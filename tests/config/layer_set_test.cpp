#include "peerless/config/layer_set.h"

#include <gtest/gtest.h>

namespace peerless {
namespace {

TEST(LayerRange, IsANumberOrAnInclusiveRange) {
  EXPECT_EQ(LayerRange::parse("2"), (LayerRange{2, 2}));
  EXPECT_EQ(LayerRange::parse("5-9"), (LayerRange{5, 9}));
  EXPECT_EQ(LayerRange::parse("0-0"), (LayerRange{0, 0}));
}

TEST(LayerRange, RefusesOtherTexts) {
  for (const char* text : {"", "-", "9-5", "-1", "1-", "1-2-3", "1 - 2", "a", "1.5", "1e3", "99999999999999999999"}) {
    EXPECT_FALSE(LayerRange::parse(text)) << text;
  }
}

TEST(LayerRange, TextReadsBackAsTheSame) {
  EXPECT_EQ((LayerRange{2, 2}).text(), "2");
  EXPECT_EQ((LayerRange{5, 9}).text(), "5-9");
}

TEST(LayerSet, ContainsItsNumbersAndBothEndsOfItsRanges) {
  const LayerSet layers = {{2, 2}, {5, 9}};
  for (std::int64_t layer = 0; layer < 12; ++layer) {
    EXPECT_EQ(layers.contains(layer), layer == 2 || (5 <= layer && layer <= 9)) << layer;
  }
}

TEST(LayerSet, KnowsItsHighestLayer) {
  EXPECT_EQ((LayerSet{{5, 9}, {2, 2}}).highest(), 9);
  EXPECT_EQ(LayerSet().highest(), -1);
}

}  // namespace
}  // namespace peerless
