// The size of a step's gradient, and the guard against numbers that are none.
#pragma once

#include "peerless/params/gradients.h"

namespace peerless {

// 2-norms in fp64, summed over fixed blocks (of tables: rows) in order: the same bits at any number of threads.
struct GradNorms {
  double dense = 0;   // of all dense parameters together
  double tables = 0;  // of all tables together

  bool finite() const;
};

GradNorms measure(const Gradients& gradients);

// What gradients of that norm are multiplied by so that it is at most `limit` (0: no limit).
double clip_factor(double norm, double limit);

}  // namespace peerless
