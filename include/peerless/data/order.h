// Which sample stands where in training: a pure function of the sources' sizes, their weights and the seed. A resumed
// run, another number of processes, a loader that starts anywhere: all see the same order, and nothing is stored.
//
// Blocks     Positions go in blocks of 4,096. Up to the end of block k, source i has had C_i(k) of its samples: its
//            exact share k * 4096 * w_i, rounded down or up, those with the largest remainders up (ties: the first
//            source), so that the sum is right. So a block's quota C_i(k+1) - C_i(k) is a closed form, the error never
//            exceeds one sample and never grows. Weights are rounded once, to multiples of 2^-28 of their sum.
// Slots      Within a block, slots are permuted, keyed by (seed, block), and sources own consecutive ranges of the
//            result. (One source alone needs no such permutation: its epochs follow each other cleanly. In a mixture,
//            where two epochs of a source meet within a block, their samples mix in that block.)
// Epochs     Sample number m of a source belongs to its epoch m / size and is element m % size of a permutation keyed
//            by (seed, source, epoch). Every sample comes exactly once per epoch of its source.
// Cost       O(number of sources) and two permutations for a position.
// Errors     config  a weight below 1/4096 of the sum: its share of a block would not be a sample
#pragma once

#include <cstdint>
#include <vector>

namespace peerless {

struct SampleId {
  std::size_t source;
  std::uint64_t sample;  // within the source, in the order of its tokens
  std::uint64_t epoch;   // how often the source was seen before
  bool operator==(const SampleId&) const = default;
};

class SampleOrder {
 public:
  static constexpr std::uint64_t kBlock = 4096;

  struct Source {
    std::uint64_t samples;  // >= 1
    double weight;          // > 0; only ratios matter
  };
  SampleOrder(std::vector<Source> sources, std::int64_t seed);

  SampleId operator()(std::uint64_t position) const;

  // C(block) as above: samples that each source has had before the block begins.
  std::vector<std::uint64_t> taken_before(std::uint64_t block) const;

 private:
  std::vector<std::uint64_t> samples_;
  std::vector<std::uint64_t> shares_;  // of 2^28
  std::uint64_t seed_;
};

// Which samples of a step one process takes, and in which micro-batches. Step s consists of the positions
// [s * global_batch, (s+1) * global_batch), cut into M = global_batch / micro_batch micro-batches; process r of W takes
// the micro-batches [r*M/W, (r+1)*M/W).
struct BatchShare {
  std::int64_t global_batch = 1;
  std::int64_t micro_batch = 1;
  std::int64_t rank = 0;
  std::int64_t world = 1;

  void check() const;  // Error(config) unless micro_batch divides global_batch, and W divides M
  std::int64_t micro_batches() const { return global_batch / micro_batch / world; }  // of this process in a step
  // Of a micro-batch of this process, in the step whose first position is `first`.
  std::uint64_t first_position(std::uint64_t first, std::int64_t micro_batch_of_rank) const;
};

}  // namespace peerless
