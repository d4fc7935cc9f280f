// What kernels share that read rows of a table by pairs (token, choice), and write such rows' gradient.
#pragma once

#include <algorithm>
#include <cstdint>
#include <vector>

#include "src/ops/kernels/kernel.h"

namespace peerless::kernels {

// The rows that T tokens ask for, P each.
template <class T>
struct GatheredRows {
  std::int64_t num_chosen;  // P
  std::int64_t width;       // of a row
  const std::int32_t* ids;  // [T, P]
  const T* table;           // [N, width]
};

// Where the gradient of each row goes that pairs ask for: the pairs by row, and the row's place in the buffer.
struct RowSlots {
  const std::int32_t* order;   // [T P] pairs, by row, then by token
  const std::int64_t* starts;  // [R + 1]: row r's pairs are order[starts[r]] ... order[starts[r + 1] - 1]
  const std::int32_t* slots;   // [R] row of the gradient buffer
  double* squares;             // of each row of the buffer: the sum of its squares
  std::int64_t first_fresh;    // rows from here on hold nothing yet
};

// Pairs taken together: few enough that their rows stay in the first cache between their dot products and their sums.
constexpr std::int64_t kBlock = 16;

// Some pairs of a token. `column` is where the part of a row begins that is meant, and d its width.
template <class T>
struct PairBlock {
  const GatheredRows<T>& rows;
  std::int64_t first, count, end;  // end of the pairs that this thread works on

  static constexpr std::int64_t kAhead = 4;  // rows are asked for this many pairs before they are needed

  const T* row(std::int64_t j) const { return rows.table + rows.ids[first + j] * rows.width; }

  // out[j] = x . (row j from `column`).
  PEERLESS_INLINE void times(const T* x, std::int64_t column, std::int64_t d, T* out) const {
    for (std::int64_t j = 0; j < count; ++j) out[j] = dot(row(j) + column, x, d);
  }
  // The same, asking for rows that come after.
  PEERLESS_INLINE void times_ahead(const T* x, std::int64_t column, std::int64_t d, T* out) const {
    for (std::int64_t j = 0; j < count; ++j) {
      ask_ahead(j);
      out[j] = dot(row(j) + column, x, d);
    }
  }
  PEERLESS_INLINE void ask_ahead(std::int64_t j) const {
    if (first + j + kAhead < end) prefetch(row(j + kAhead), rows.width);
  }
  // y += the sum of a[j] * (row j from `column`), four rows in a pass over y.
  PEERLESS_INLINE void add_rows(const T* a, std::int64_t column, std::int64_t d, T* y) const {
    std::int64_t j = 0;
    for (; j + 4 <= count; j += 4) {
      const T *const r0 = row(j) + column, *const r1 = row(j + 1) + column, *const r2 = row(j + 2) + column,
                     *const r3 = row(j + 3) + column;
#pragma omp simd
      for (std::int64_t i = 0; i < d; ++i)
        y[i] += (a[j] * r0[i] + a[j + 1] * r1[i]) + (a[j + 2] * r2[i] + a[j + 3] * r3[i]);
    }
    for (; j < count; ++j) add_scaled(a[j], row(j) + column, y, d);
  }
};

// Calls f(block) for the pairs of token t; this thread's tokens end at `last`.
template <class T, class F>
PEERLESS_INLINE void for_blocks(const GatheredRows<T>& rows, std::int64_t t, std::int64_t last, F f) {
  const std::int64_t end = (t + 1) * rows.num_chosen;
  for (std::int64_t pair = t * rows.num_chosen; pair < end; pair += kBlock)
    f(PairBlock<T>{rows, pair, std::min(kBlock, end - pair), last * rows.num_chosen});
}

// For each row [first, last) of `slots`: calls add(pair, sum) for its pairs in order, where sum [width] begins with
// what the buffer holds of the row, and stores it. ask(pair) is called some pairs before.
template <class T, class Ask, class Add>
PEERLESS_INLINE void add_to_rows(const RowSlots& slots, std::int64_t width, T* buffer, std::int64_t first,
                                 std::int64_t last, Ask ask, Add add) {
  constexpr std::int64_t kPairsAhead = 8;
  std::vector<T> scratch(width);
  T* const sum = scratch.data();
  for (std::int64_t r = first; r < last; ++r) {
    T* const grad_row = buffer + slots.slots[r] * width;
    const bool fresh = slots.slots[r] >= slots.first_fresh;
    for (std::int64_t i = 0; i < width; ++i) sum[i] = fresh ? 0 : grad_row[i];
    for (std::int64_t q = slots.starts[r]; q < slots.starts[r + 1]; ++q) {
      if (q + kPairsAhead < slots.starts[last]) ask(slots.order[q + kPairsAhead]);
      add(slots.order[q], sum);
    }
    slots.squares[slots.slots[r]] = sum_of_squares(sum, width);
    stream(sum, grad_row, width);
  }
  finish_streams();
}

}  // namespace peerless::kernels
