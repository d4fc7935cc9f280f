// Counter-based random numbers: each number is a pure function of (seed, stream, index).
//
// No generator has a history, so a resumed run, a recomputed layer, and any number of processes or threads draw the
// same numbers, and element i of a tensor may be drawn without its neighbours.
//
// Source   Salmon et al. 2011, "Parallel random numbers: as easy as 1, 2, 3" (Philox4x32-10)
#pragma once

#include <array>
#include <cstdint>
#include <span>
#include <string_view>

namespace peerless {

// Ten rounds of Philox4x32: four random words for a counter and a key.
std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key);

// A 64-bit mix of its inputs (splitmix64 of each in turn): derives independent seeds and streams from names and
// numbers.
std::uint64_t mix(std::uint64_t seed, std::uint64_t value);
std::uint64_t mix(std::uint64_t seed, std::string_view name);

// One stream of random numbers. Number `index` costs the same wherever it lies.
//
// Use a stream for one kind of draw: bits, uniform and below of an index come from the same word, and normal numbers
// from the same counters.
class RandomStream {
 public:
  RandomStream(std::uint64_t seed, std::uint64_t stream) : seed_(seed), stream_(stream) {}

  std::uint64_t bits(std::uint64_t index) const;
  double uniform(std::uint64_t index) const;  // [0, 1), 53 bits
  // [0, bound), bound >= 1; the odds of two results differ by less than one part in 2^64 / bound.
  std::uint64_t below(std::uint64_t bound, std::uint64_t index) const;

  // out[i] = number `first + i` of the stream's sequence of N(0, 1) values (Box-Muller on Philox words), in fp32. None
  // is larger than 6.7. The same bits for every span and every processor: no call into the system's libm. About 5 ns
  // per number on one core, in batches of 256 (one alone costs a batch).
  void normal(std::span<float> out, std::uint64_t first) const;

 private:
  std::uint64_t seed_;
  std::uint64_t stream_;
};

}  // namespace peerless
