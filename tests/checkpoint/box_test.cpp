#include "peerless/checkpoint/box.h"

#include <gtest/gtest.h>

#include <algorithm>
#include <limits>
#include <utility>

#include "peerless/base/random.h"

namespace peerless {
namespace {

// The flat numbers in the array of `shape` of all elements of a box, in its order.
std::vector<std::int64_t> elements(const Shape& shape, const Box& box) {
  std::vector<std::int64_t> result;
  for (std::int64_t flat = 0; flat < volume(shape); ++flat) {
    bool inside = true;
    for (std::int64_t d = static_cast<std::int64_t>(shape.size()) - 1, rest = flat; d >= 0; rest /= shape[d--]) {
      const auto index = rest % shape[d];
      inside &= index >= box.offset[d] && index < box.offset[d] + box.extent[d];
    }
    if (inside) result.push_back(flat);
  }
  return result;
}

class RandomBoxes {
 public:
  std::int64_t draw(std::int64_t bound) { return static_cast<std::int64_t>(stream_.below(bound, next_++)); }
  Shape shape() {
    Shape shape(draw(4));
    for (auto& extent : shape) extent = 1 + draw(5);
    return shape;
  }
  Box box(const Shape& shape) {
    Box box = Box::whole(shape);
    for (std::size_t d = 0; d < shape.size(); ++d) {
      box.offset[d] = draw(shape[d]);
      box.extent[d] = draw(shape[d] - box.offset[d] + 1);
    }
    return box;
  }

 private:
  RandomStream stream_{1, 2};
  std::uint64_t next_ = 0;
};

TEST(SharedRuns, PairEveryElementThatBothBoxesHold) {
  RandomBoxes random;
  for (int trial = 0; trial < 2000; ++trial) {
    const Shape shape = random.shape();
    const Box a = random.box(shape), b = random.box(shape);
    const auto in_a = elements(shape, a), in_b = elements(shape, b);
    std::vector<std::int64_t> expected, found;
    std::set_intersection(in_a.begin(), in_a.end(), in_b.begin(), in_b.end(), std::back_inserter(expected));
    for_each_shared_run(a, b, [&](auto first_a, auto first_b, auto length) {
      for (std::int64_t i = 0; i < length; ++i) {
        ASSERT_EQ(in_a.at(first_a + i), in_b.at(first_b + i));
        found.push_back(in_a[first_a + i]);
      }
    });
    ASSERT_EQ(found, expected);
  }
}

TEST(SharedRuns, AreAsLongAsTheyCanBe) {
  const auto runs = [](const Box& a, const Box& b) {
    int count = 0;
    for_each_shared_run(a, b, [&](auto, auto, auto) { ++count; });
    return count;
  };
  const Box whole = Box::whole({10, 4, 3});
  EXPECT_EQ(runs(whole, whole), 1);
  EXPECT_EQ(runs(whole, {{2, 0, 0}, {5, 4, 3}}), 1);
  EXPECT_EQ(runs(whole, {{0, 1, 0}, {10, 2, 3}}), 10);
  EXPECT_EQ(runs(whole, {{0, 0, 1}, {10, 4, 2}}), 40);
  EXPECT_EQ(runs(Box::whole({}), Box::whole({})), 1);
}

TEST(Tiles, CoverEveryElementOnce) {
  EXPECT_TRUE(tile({}, {Box::whole({})}));
  EXPECT_TRUE(tile({4, 3}, {{{0, 0}, {2, 3}}, {{2, 0}, {2, 1}}, {{2, 1}, {2, 2}}}));
  EXPECT_TRUE(tile({3, 3}, {{{0, 0}, {1, 2}}, {{0, 2}, {2, 1}}, {{2, 1}, {1, 2}}, {{1, 0}, {2, 1}}, {{1, 1}, {1, 1}}}));
  EXPECT_TRUE(tile({0, 3}, {}));
  EXPECT_FALSE(tile({4, 3}, {}));
  EXPECT_FALSE(tile({4, 3}, {{{0, 0}, {2, 3}}}));                    // a hole
  EXPECT_FALSE(tile({4, 3}, {{{0, 0}, {3, 3}}, {{2, 0}, {1, 3}}}));  // an overlap that fills the count
  EXPECT_FALSE(tile({4}, {{{1}, {4}}}));                             // outside
  EXPECT_FALSE(tile({4}, {{{0, 0}, {4, 1}}}));                       // another rank
}

TEST(Tiles, OfALineOrAGridMayBeMany) {
  constexpr std::int64_t kRows = 100'000;
  std::vector<Box> rows, cells;
  for (std::int64_t i = 0; i < kRows; ++i) {
    rows.push_back({{i, 0}, {1, 1'000'000}});
    cells.push_back({{i / 1000 * 7, i % 1000, 0}, {7, 1, 5}});
  }
  EXPECT_TRUE(tile({kRows, 1'000'000}, rows));
  EXPECT_TRUE(tile({kRows / 1000 * 7, 1000, 5}, cells));
  rows[500] = rows[501];
  std::swap(cells[500].offset[2], cells[500].extent[2]);
  EXPECT_FALSE(tile({kRows, 1'000'000}, rows));
  EXPECT_FALSE(tile({kRows / 1000 * 7, 1000, 5}, cells));
}

TEST(Tiles, OfTheLargestTensorsAreTold) {
  constexpr std::int64_t kHalf = std::int64_t{1} << 62;
  EXPECT_TRUE(tile({kHalf, 2}, {{{0, 0}, {kHalf, 1}}, {{0, 1}, {kHalf, 1}}}));
  EXPECT_FALSE(tile({kHalf, 2}, {{{0, 0}, {kHalf, 1}}, {{1, 1}, {kHalf - 1, 1}}}));
  EXPECT_FALSE(tile({4}, {{{1}, {std::numeric_limits<std::int64_t>::max()}}}));
  EXPECT_FALSE(tile({4}, {{{-1}, {5}}}));
  EXPECT_FALSE(tile({4}, {{{0}, {5}}, {{5}, {-1}}}));
}

// The plain way: each element is counted.
bool tile_plainly(const Shape& shape, const std::vector<Box>& boxes) {
  std::vector<int> count(static_cast<std::size_t>(volume(shape)));
  for (const auto& box : boxes) {
    for (const auto element : elements(shape, box)) ++count[static_cast<std::size_t>(element)];
  }
  return std::all_of(count.begin(), count.end(), [](int times) { return times == 1; });
}

// Boxes cut in two again and again, some of which are then lost, doubled, or put elsewhere.
std::vector<Box> nearly_a_tiling(const Shape& shape, RandomBoxes& random) {
  std::vector<Box> boxes = {Box::whole(shape)};
  const auto any = [&] { return static_cast<std::size_t>(random.draw(static_cast<std::int64_t>(boxes.size()))); };
  for (auto cuts = shape.empty() ? 0 : random.draw(12); cuts > 0; --cuts) {
    auto& first = boxes[any()];
    const auto d = static_cast<std::size_t>(random.draw(static_cast<std::int64_t>(shape.size())));
    Box second = first;
    first.extent[d] = random.draw(second.extent[d] + 1);
    second.offset[d] += first.extent[d];
    second.extent[d] -= first.extent[d];
    boxes.push_back(second);
  }
  for (auto changes = random.draw(3); changes > 0; --changes) boxes[any()] = random.box(shape);
  if (random.draw(8) == 0) boxes[any()] = boxes[any()];
  if (random.draw(8) == 0) boxes.pop_back();
  return boxes;
}

TEST(Tiles, AreThoseInWhichEachElementCountsOnce) {
  RandomBoxes random;
  int tilings = 0;
  constexpr int kTrials = 5000;
  for (int trial = 0; trial < kTrials; ++trial) {
    const Shape shape = random.shape();
    const auto boxes = nearly_a_tiling(shape, random);
    ASSERT_EQ(tile(shape, boxes), tile_plainly(shape, boxes)) << "trial " << trial;
    tilings += tile(shape, boxes) ? 1 : 0;
  }
  EXPECT_GT(tilings, kTrials / 5);
  EXPECT_LT(tilings, kTrials * 4 / 5);
}

TEST(Pieces, AreContiguousSmallAndInOrder) {
  RandomBoxes random;
  for (int trial = 0; trial < 500; ++trial) {
    const Shape shape = random.shape();
    const std::int64_t most = 1 + random.draw(20);
    std::int64_t next = 0;
    for_each_piece(shape, most, [&](const Box& box) {
      const auto inside = elements(shape, box);
      ASSERT_LE(static_cast<std::int64_t>(inside.size()), most);
      for (const auto element : inside) ASSERT_EQ(element, next++);
    });
    ASSERT_EQ(next, volume(shape));
  }
}

}  // namespace
}  // namespace peerless
