// The sums of squares of a tensor's blocks, for gradient norms and the guard against non-finite numbers (a sum is
// finite only when all its elements are).
//
// Added in double, each block in order: the same bits with any number of threads. On a device ATen adds.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

namespace peerless {

// Of blocks of `block` elements of a contiguous tensor; the last may be shorter.
std::vector<double> sums_of_squares(const at::Tensor& contiguous, std::int64_t block);

}  // namespace peerless
