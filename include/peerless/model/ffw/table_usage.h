// How much of a table a model uses: of the rows that tokens retrieved, by count and by the weight they got.
#pragma once

#include <ATen/core/Tensor.h>

#include "peerless/model/stats.h"

namespace peerless {

// Sets "count" and "weight" [rows] of counted tokens. weights, ids [tokens, rows of a token]; counted [B, T] bool.
void count_usage(const at::Tensor& weights, const at::Tensor& ids, const at::Tensor& counted, std::int64_t rows,
                 Stats& stats);

// With z the share of each row: usage = share of rows with z > 0, and unevenness = KL(z || uniform) in nats, with z by
// weight (He 2024, section 3.3) and by count of retrievals. The two usages differ where a weight may be 0 (relu).
// Nothing when nothing was counted.
Figures usage_figures(const Stats& stats);

}  // namespace peerless
