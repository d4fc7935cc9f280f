#include "src/ops/kernels/sum_of_squares.h"

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {

template <class T>
PEERLESS_CLONES double sum_of_squares_of_block(const T* values, std::int64_t n) {
  return sum_of_squares(values, n);
}

template double sum_of_squares_of_block(const float*, std::int64_t);
template double sum_of_squares_of_block(const double*, std::int64_t);

}  // namespace peerless::kernels
