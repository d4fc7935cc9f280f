#pragma once

#include <cstdint>

namespace peerless::kernels {

template <class T>
double sum_of_squares_of_block(const T* values, std::int64_t n);

}  // namespace peerless::kernels
