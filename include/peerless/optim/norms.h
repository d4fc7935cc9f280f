// The size of a step's gradient, and the guard against numbers that are none.
#pragma once

#include "peerless/optim/ownership.h"

namespace peerless {

// 2-norms in fp64, summed over fixed blocks in order: the same bits at any number of threads, and of processes.
struct GradNorms {
  double dense = 0;   // of all dense parameters together
  double tables = 0;  // of all tables together

  // Whether an optimizer can take them in: its second moments are squares in fp32, which ends at 3.4e38.
  bool finite() const;
};

// Elements of a dense gradient whose squares are added up at a time. Shares are of whole blocks.
constexpr std::int64_t kNormBlock = 256;

// Each process measures what it owns; all get the norms of the whole.
GradNorms measure(const std::vector<Owned>& owned, Communicator& communicator);

// What gradients of that norm are multiplied by so that it is at most `limit` (0: no limit).
double clip_factor(double norm, double limit);

}  // namespace peerless
