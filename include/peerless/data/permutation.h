// A pseudo-random permutation of [0, size) that is computed, not stored: no index files, no history.
//
//   index = left * b + right with a = ceil(sqrt(size)), b = ceil(size / a); eight rounds, by turns
//   left <- (left + F_i(right)) mod a,   right <- (right + F_i(left)) mod b;   again while the result is >= size
//
// Each round can be undone, so it permutes [0, a*b); walking on from results outside [0, size) (cycle walking) leaves a
// permutation of [0, size). a*b < size + a: a second walk is rare.
//
// Cost     eight rounds of two multiplicative hashes and a division: 60 ns
// Source   Black and Rogaway 2002, "Ciphers with arbitrary finite domains" (generalised Feistel, cycle walking)
#pragma once

#include <array>
#include <cstdint>

namespace peerless {

class Permutation {
 public:
  Permutation(std::uint64_t size, std::uint64_t key);

  std::uint64_t size() const { return size_; }
  std::uint64_t operator()(std::uint64_t index) const;  // index < size

 private:
  std::uint64_t size_, left_size_, right_size_;
  std::array<std::uint64_t, 8> keys_;
};

}  // namespace peerless
