// Statistics added up over the micro-batches of a step, or the batches of an evaluation, and over processes, in the
// order of gradients (dist/gradient_reduction.h).
#pragma once

#include <vector>

#include "peerless/dist/communicator.h"
#include "peerless/dist/gradient_reduction.h"
#include "peerless/model/stats.h"

namespace peerless {

class StatsSum {
 public:
  explicit StatsSum(SumOrder order) : order_(order) {}

  void add(Stats part);
  // Of all parts that were added: at least one. None is added any more.
  const Stats& total();

 private:
  void merge_last();

  SumOrder order_;
  std::size_t count_ = 0;
  std::vector<Stats> waiting_;  // sums of fewer and fewer parts, each for its right neighbour
};

// The sum over processes, which all have the same names, dtypes and shapes.
Stats sum(Communicator& communicator, const Stats& stats);

}  // namespace peerless
