#include "peerless/checkpoint/box.h"

#include <algorithm>
#include <array>
#include <cstddef>
#include <span>

#include "peerless/base/hash.h"
#include "peerless/base/random.h"

namespace peerless {
namespace {

// What two boxes share; an extent of 0 or less where they do not meet.
Box intersection(const Box& a, const Box& b) {
  Box shared = a;
  for (std::size_t d = 0; d < a.offset.size(); ++d) {
    shared.offset[d] = std::max(a.offset[d], b.offset[d]);
    shared.extent[d] = std::min(a.offset[d] + a.extent[d], b.offset[d] + b.extent[d]) - shared.offset[d];
  }
  return shared;
}

bool empty(const Box& box) {
  return std::any_of(box.extent.begin(), box.extent.end(), [](auto extent) { return extent <= 0; });
}

// The number of the element at `index`, counted within `box`.
std::int64_t position(const Box& box, const Shape& index) {
  std::int64_t result = 0;
  for (std::size_t d = 0; d < index.size(); ++d) result = result * box.extent[d] + index[d] - box.offset[d];
  return result;
}

// Moves `index` to the next one of `box` that differs in the first `rank` dimensions; false after the last.
bool advance(Shape& index, const Box& box, std::size_t rank) {
  for (std::size_t d = rank; d-- > 0;) {
    if (++index[d] < box.offset[d] + box.extent[d]) return true;
    index[d] = box.offset[d];
  }
  return false;
}

bool is_inside(const Shape& shape, const Box& box) {
  if (box.offset.size() != shape.size() || box.extent.size() != shape.size()) return false;
  for (std::size_t d = 0; d < shape.size(); ++d) {
    const auto [offset, extent, whole] = std::array{box.offset[d], box.extent[d], shape[d]};
    if (offset < 0 || extent < 0 || offset > whole || extent > whole - offset) return false;
  }
  return true;
}

// Each place of each dimension has a random number; the weight of a box is the product, over the dimensions, of the
// number at its end less that at its begin, modulo a prime. Boxes that tile a whole have its weight together. Where
// an element is not covered once, the difference is a polynomial of the random numbers which is not zero, of a degree
// of one for each dimension: hardly any random numbers are a root of it.

constexpr std::uint64_t kPrime = (std::uint64_t{1} << 61) - 1;

std::uint64_t times(std::uint64_t a, std::uint64_t b) {
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>(Wide{a} * b % kPrime);
}

std::uint64_t weight(const Box& box, std::uint64_t seed) {
  std::uint64_t product = 1;
  for (std::size_t d = 0; d < box.offset.size(); ++d) {
    const auto number_at = [&](std::int64_t place) {
      return mix(mix(seed, d), static_cast<std::uint64_t>(place)) % kPrime;
    };
    product = times(product, number_at(box.offset[d] + box.extent[d]) + kPrime - number_at(box.offset[d]));
  }
  return product;
}

// Of all boxes, so that nobody can choose them to fit the random numbers.
std::uint64_t seed_of(const std::vector<Box>& boxes) {
  Hasher hasher;
  for (const auto& box : boxes) {
    hasher.update(std::as_bytes(std::span(box.offset)));
    hasher.update(std::as_bytes(std::span(box.extent)));
  }
  return hasher.checksum();
}

}  // namespace

std::int64_t volume(const Shape& shape) {
  std::int64_t product = 1;
  for (const auto extent : shape) product *= extent;
  return product;
}

bool tile(const Shape& shape, const std::vector<Box>& boxes) {
  const auto seed = seed_of(boxes);
  std::uint64_t sum = 0;
  for (const auto& box : boxes) {
    if (!is_inside(shape, box)) return false;
    sum = (sum + weight(box, seed)) % kPrime;
  }
  return sum == weight(Box::whole(shape), seed);
}

void for_each_shared_run(const Box& a, const Box& b, const Run& run) {
  const Box shared = intersection(a, b);
  if (empty(shared)) return;
  // Runs go over the last dimensions in which both boxes are shared whole, and one more.
  std::size_t outer = shared.extent.size();
  std::int64_t length = 1;
  while (outer > 0) {
    --outer;
    length *= shared.extent[outer];
    if (shared.extent[outer] != a.extent[outer] || shared.extent[outer] != b.extent[outer]) break;
  }
  Shape index = shared.offset;
  do {
    run(position(a, index), position(b, index), length);
  } while (advance(index, shared, outer));
}

void for_each_piece(const Shape& shape, std::int64_t max_elements, const std::function<void(const Box&)>& piece) {
  if (volume(shape) == 0) return;
  // Pieces are slabs along dimension `cut`, one index in those before it, all of those after it.
  std::int64_t inner = volume(shape);
  std::size_t cut = 0;
  while (cut < shape.size() && inner / shape[cut] > max_elements) inner /= shape[cut++];
  if (cut == shape.size()) return piece(Box::whole(shape));
  const std::int64_t thickness = std::clamp<std::int64_t>(max_elements / (inner / shape[cut]), 1, shape[cut]);
  Box slab = Box::whole(shape);
  std::fill_n(slab.extent.begin(), cut, 1);
  do {
    for (std::int64_t begin = 0; begin < shape[cut]; begin += thickness) {
      slab.offset[cut] = begin;
      slab.extent[cut] = std::min(thickness, shape[cut] - begin);
      piece(slab);
    }
    slab.offset[cut] = 0;
  } while (advance(slab.offset, Box::whole(shape), cut));
}

}  // namespace peerless
