// Kernels of the pairs (token, choice) that read and write parts of a table's rows: formulas and shape letters in
// src/ops/pair_rows.h.
#pragma once

#include <cstdint>
#include <span>

#include "src/ops/kernels/gathered_rows.h"

namespace peerless::kernels {

// A part of every row.
struct Columns {
  std::int64_t begin, size;
};

// out[t,p] = x_t . (part of the row of pair t,p), of tokens [first, last).
template <class T>
void pair_dot(const GatheredRows<T>& rows, const Columns& part, const T* x, T* out, std::int64_t first,
              std::int64_t last);

// y_t = sum over p of weights[t,p] * (part of the row of pair t,p), of tokens [first, last); without weights each
// counts once.
template <class T>
void pair_sum(const GatheredRows<T>& rows, const Columns& part, const T* weights, T* y, std::int64_t first,
              std::int64_t last);

// What a pair adds to a part of its row's gradient: weights[t,p] * source_t.
template <class T>
struct PairGrads {
  const T* weights;  // [T, P]
  const T* source;   // [T, size of a part]
};

// Adds to the gradient of rows [first, last) of `slots`, whose parts, all of one size, are given in the order of
// columns.
template <class T>
void add_pair_grads(const GatheredRows<T>& rows, std::span<const PairGrads<T>> parts, const RowSlots& slots, T* buffer,
                    std::int64_t first, std::int64_t last);

}  // namespace peerless::kernels
