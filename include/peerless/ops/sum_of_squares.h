// The sum of squares of a tensor, for gradient norms and the guard against non-finite numbers (it is finite only when
// all elements are).
//
// Added in double over blocks of 4,096 elements, and the blocks in order: the same bits with any number of threads.
// A tensor that is no CPU tensor is added up by ATen, in double.
#pragma once

#include <ATen/core/Tensor.h>

namespace peerless {

double sum_of_squares(const at::Tensor& contiguous);

}  // namespace peerless
