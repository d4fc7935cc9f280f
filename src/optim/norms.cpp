#include "peerless/optim/norms.h"

#include <ATen/ops/from_blob.h>

#include <algorithm>
#include <cmath>
#include <numeric>

#include "peerless/ops/sum_of_squares.h"

namespace peerless {
namespace {

std::int64_t blocks_of(std::int64_t n, std::int64_t block) { return (n + block - 1) / block; }

// The sums of squares of all blocks of the whole: 0 where the block is another's.
std::vector<double> sums_of(const std::vector<Owned>& owned, bool of_tables) {
  std::vector<double> sums;
  for (const auto& [parameter, part, rows, sliced] : owned) {
    if ((rows != nullptr) != of_tables) continue;
    const std::int64_t block = rows ? RowGrad::kNormBlock : kNormBlock;
    const auto begin = static_cast<std::int64_t>(sums.size());
    sums.resize(
        static_cast<std::size_t>(begin + blocks_of(rows ? parameter.tensor.size(0) : parameter.tensor.numel(), block)));
    const auto mine = rows ? rows->sums_of_squares()
                           : sums_of_squares(parameter.tensor.grad().view(-1).slice(0, part.begin, part.end), block);
    std::copy(mine.begin(), mine.end(), sums.begin() + begin + part.begin / block);
  }
  return sums;
}

}  // namespace

bool GradNorms::finite() const { return std::isfinite(dense) && std::isfinite(tables); }

GradNorms measure(const std::vector<Owned>& owned, Communicator& communicator) {
  auto dense = sums_of(owned, /*of_tables=*/false), tables = sums_of(owned, /*of_tables=*/true);
  if (std::any_of(owned.begin(), owned.end(), [](const auto& o) { return o.sliced; })) {
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
