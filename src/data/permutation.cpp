#include "peerless/data/permutation.h"

#include <cmath>

#include "peerless/base/error.h"
#include "peerless/base/random.h"

namespace peerless {
namespace {

std::uint64_t ceil_sqrt(std::uint64_t n) {
  auto root = static_cast<std::uint64_t>(std::sqrt(static_cast<double>(n)));  // off by one at most, either way
  while (root * root < n) ++root;
  while (root > 1 && (root - 1) * (root - 1) >= n) --root;
  return root;
}

}  // namespace

Permutation::Permutation(std::uint64_t size, std::uint64_t key)
    : size_(size), left_size_(ceil_sqrt(size)), right_size_(size == 0 ? 0 : (size + left_size_ - 1) / left_size_) {
  for (std::size_t round = 0; round < keys_.size(); ++round) keys_[round] = mix(key, round);
}

std::uint64_t Permutation::operator()(std::uint64_t index) const {
  PEERLESS_CHECK(index < size_, "index = ", index, ", size = ", size_);
  do {
    std::uint64_t left = index / right_size_;
    std::uint64_t right = index % right_size_;
    for (std::size_t round = 0; round < keys_.size(); round += 2) {
      left = (left + mix(keys_[round], right) % left_size_) % left_size_;
      right = (right + mix(keys_[round + 1], left) % right_size_) % right_size_;
    }
    index = left * right_size_ + right;
  } while (index >= size_);
  return index;
}

}  // namespace peerless
