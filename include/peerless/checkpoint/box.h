// Boxes of an n-dimensional row-major array: what one process holds, what one file stores, what a reader wants.
#pragma once

#include <cstdint>
#include <functional>
#include <vector>

namespace peerless {

using Shape = std::vector<std::int64_t>;

std::int64_t volume(const Shape& shape);  // number of elements; 1 for a scalar

struct Box {
  Shape offset;
  Shape extent;

  static Box whole(const Shape& shape) { return {Shape(shape.size(), 0), shape}; }
  bool operator==(const Box&) const = default;
};

// Whether the boxes are inside `shape`, disjoint, and together all of it. Linear in their number, as it compares random
// sums in place of pairs: with odds of one in 2^61 for each dimension, other boxes pass too.
bool tile(const Shape& shape, const std::vector<Box>& boxes);

// The elements that two boxes of one array share, as runs that are contiguous in both: calls
// run(first element in a, first element in b, length), elements counted within each box. As few runs as possible.
using Run = std::function<void(std::int64_t in_a, std::int64_t in_b, std::int64_t length)>;
void for_each_shared_run(const Box& a, const Box& b, const Run& run);

// Cuts an array into boxes of at most `max_elements` (>= 1), each contiguous, in row-major order.
void for_each_piece(const Shape& shape, std::int64_t max_elements, const std::function<void(const Box&)>& piece);

}  // namespace peerless
