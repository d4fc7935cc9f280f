#include "peerless/optim/norms.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "peerless/ops/sum_of_squares.h"

namespace peerless {
namespace {

std::int64_t blocks_of(std::int64_t n, std::int64_t block) { return (n + block - 1) / block; }

// The sums of squares of all blocks of all shards: 0 where the block is another's. Of equal copies those of the first
// holder count.
std::vector<double> sums_of(const std::vector<Owned>& owned, bool of_tables, std::int64_t rank) {
  std::vector<double> sums;
  for (const auto& [parameter, part, rows, sliced] : owned) {
    if ((rows != nullptr) != of_tables) continue;
    const auto& shard = parameter.shard;
    const std::int64_t block = rows ? RowGrad::kNormBlock : kNormBlock;
    const std::int64_t blocks = blocks_of(rows ? parameter.tensor.size(0) : parameter.tensor.numel(), block);
    const auto begin = static_cast<std::int64_t>(sums.size()) + shard.index * blocks;
    sums.resize(sums.size() + static_cast<std::size_t>(shard.ways * blocks));
    if (!sliced && rank >= shard.ways) continue;
    const auto mine = rows ? rows->sums_of_squares()
                           : sums_of_squares(parameter.tensor.grad().view(-1).slice(0, part.begin, part.end), block);
    std::copy(mine.begin(), mine.end(), sums.begin() + begin + part.begin / block);
  }
  return sums;
}

}  // namespace

bool GradNorms::finite() const {
  constexpr double kLargest = 1e18;
  return dense <= kLargest && tables <= kLargest;  // NaN is not
}

GradNorms measure(const std::vector<Owned>& owned, Communicator& communicator) {
  const bool in_parts =
      std::any_of(owned.begin(), owned.end(), [](const auto& o) { return o.sliced || !o.parameter.shard.is_whole(); });
  const auto rank = in_parts ? communicator.rank() : 0;
  auto dense = sums_of(owned, /*of_tables=*/false, rank), tables = sums_of(owned, /*of_tables=*/true, rank);
  if (in_parts) {
    const auto view = [](std::vector<double>& sums) {
      return at::from_blob(sums.data(), {static_cast<std::int64_t>(sums.size())}, at::kDouble);
    };
    sum(communicator, {view(dense), view(tables)});
  }
  return {std::sqrt(std::accumulate(dense.begin(), dense.end(), 0.0)),
          std::sqrt(std::accumulate(tables.begin(), tables.end(), 0.0))};
}

double clip_factor(double norm, double limit) {
  constexpr double kEps = 1e-6;  // as torch.nn.utils.clip_grad_norm_ has it
  return limit > 0 ? std::min(1.0, limit / (norm + kEps)) : 1.0;
}

}  // namespace peerless
