// Kernel of row_adamw (peerless/ops/row_adamw.h).
#pragma once

#include <cstdint>

namespace peerless::kernels {

// Both rules in one form: weight = keep weight - step_size m / (root_scale sqrt(v) + eps).
template <class T>
struct AdamW {
  T grad_scale;
  T one_minus_beta1;
  T one_minus_beta2;
  T keep;
  T step_size;
  T root_scale;
  T eps;
};

template <class T>
struct AdamWTable {
  std::int64_t width;
  T* weight;  // [N, width]
  T* m;
  T* v;
  const T* grad;  // [R, width]
};

// Rows ids[s] with gradient grad[s], for s in [first, last).
template <class T>
void adamw_touched_rows(const AdamW<T>& adamw, const AdamWTable<T>& table, const std::int32_t* ids, std::int64_t first,
                        std::int64_t last);

// Rows [first, last) with gradient grad[slots[row]], or none where that is -1.
template <class T>
void adamw_all_rows(const AdamW<T>& adamw, const AdamWTable<T>& table, const std::int32_t* slots, std::int64_t first,
                    std::int64_t last);

}  // namespace peerless::kernels
