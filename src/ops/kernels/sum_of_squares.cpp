#include "src/ops/kernels/sum_of_squares.h"

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {

template <class T>
PEERLESS_CLONES double sum_of_squares(const T* values, std::int64_t n) {
  double sum = 0;
#pragma omp simd reduction(+ : sum)
  for (std::int64_t i = 0; i < n; ++i) sum += static_cast<double>(values[i]) * static_cast<double>(values[i]);
  return sum;
}

template double sum_of_squares(const float*, std::int64_t);
template double sum_of_squares(const double*, std::int64_t);

}  // namespace peerless::kernels
