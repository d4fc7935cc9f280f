// Kernels of gather_sum (peerless/ops/gather_sum.h): formulas and shape letters there.
#pragma once

#include <cstdint>

#include "src/ops/kernels/gathered_rows.h"

namespace peerless::kernels {

// y_t = sum over p of weights[t,p] * (row of pair t,p), of tokens [first, last); without weights each counts once.
template <class T>
void gather_sum(const GatheredRows<T>& rows, const T* weights, T* y, std::int64_t first, std::int64_t last);

// out[t,p] = x_t . (row of pair t,p), of tokens [first, last).
template <class T>
void gather_dot(const GatheredRows<T>& rows, const T* x, T* out, std::int64_t first, std::int64_t last);

// Adds weights[t,p] * grad_y_t to the gradient of each pair's row, of rows [first, last) of `slots`.
template <class T>
void gather_sum_rows(const GatheredRows<T>& rows, const T* weights, const T* grad_y, const RowSlots& slots, T* buffer,
                     std::int64_t first, std::int64_t last);

}  // namespace peerless::kernels
