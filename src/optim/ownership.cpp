#include "peerless/optim/ownership.h"

#include <algorithm>
#include <map>
#include <numeric>

#include "peerless/optim/norms.h"
#include "peerless/params/huge_pages.h"

namespace peerless {
namespace {

// Whole parameters to the least loaded process each, the largest first.
void deal_whole(const std::vector<std::pair<std::size_t, std::int64_t>>& sizes, std::vector<Shares>& owners,
                std::int64_t world_size) {
  auto largest_first = sizes;
  std::stable_sort(largest_first.begin(), largest_first.end(),
                   [](const auto& a, const auto& b) { return a.second > b.second; });
  std::vector<std::int64_t> load(static_cast<std::size_t>(world_size));
  for (const auto& [number, size] : largest_first) {
    const auto owner = std::min_element(load.begin(), load.end()) - load.begin();
    load[static_cast<std::size_t>(owner)] += size;
    for (std::int64_t r = 0; r < world_size; ++r)
      owners[number].push_back({r <= owner ? 0 : size, r < owner ? 0 : size});
  }
}

}  // namespace

at::Tensor Owned::piece_of(const at::Tensor& whole) const {
  return (rows ? whole : whole.view(-1)).slice(0, part.begin, part.end);
}

at::Tensor Owned::zeros() const {
  const auto& tensor = parameter.tensor;
  const auto options = tensor.options().requires_grad(false);
  return rows ? huge_zeros({part.size(), tensor.size(1)}, options) : huge_zeros({part.size()}, options);
}

NamedTensor Owned::named(const std::string& prefix, const at::Tensor& state) const {
  const auto& shard = parameter.shard;
  auto shape = shard.shape, extent = shard.extent(), offset = shard.offset();
  if (rows) {
    extent[0] = part.size();
    offset[0] = part.begin;
  } else {  // flat; dense shards are cut along their first dimension, so that they are so too
    TORCH_CHECK(shard.dim == 0, parameter.name, ": a dense shard of another dimension than the first");
    const std::int64_t size = parameter.tensor.numel();
    shape = {size * shard.ways};
    extent = {part.size()};
    offset = {shard.index * size + part.begin};
  }
  NamedTensor named{prefix + parameter.name, state.view(extent)};
  if (sliced || !shard.is_whole()) named.slice = NamedTensor::Slice{shape, offset, sliced ? 0 : shard.ways};
  return named;
}

std::vector<Owned> everything(const ParameterSet& parameters) {
  std::vector<Owned> all;
  for (const auto& p : parameters.parameters())
    all.push_back({p, {0, p.rows ? p.tensor.size(0) : p.tensor.numel()}, p.rows});
  return all;
}

std::vector<Shares> deal(const ParameterSet& parameters, const OptimConfig& config, std::int64_t world_size) {
  const bool whole_matrices = std::holds_alternative<MuonConfig>(config);
  std::vector<Shares> owners;
  std::map<std::int64_t, std::vector<std::pair<std::size_t, std::int64_t>>> whole;  // by the number of their holders
  for (const auto& p : parameters.parameters()) {
    if (p.rows) continue;
    const std::int64_t holders = world_size / p.shard.ways;
    if (whole_matrices && p.role == Role::matrix) {
      whole[holders].emplace_back(owners.size(), p.tensor.numel());
      owners.emplace_back();
    } else {
      owners.push_back(equal_shares(p.tensor.numel(), holders, kNormBlock));
    }
  }
  for (const auto& [holders, sizes] : whole) deal_whole(sizes, owners, holders);
  return owners;
}

std::vector<Owned> owned_by(std::int64_t rank, const ParameterSet& parameters, const std::vector<Shares>& owners,
                            const GradientReduction& reduction) {
  std::vector<Owned> mine;
  auto dense = owners.begin();
  auto table = reduction.tables().begin();
  for (const auto& p : parameters.parameters()) {
    if (p.rows) {
      mine.push_back({p, table->rows_owned(), table->owned(), /*sliced=*/true});
      ++table;
    } else {
      mine.push_back({p, (*dense++)[static_cast<std::size_t>(rank / p.shard.ways)], nullptr, /*sliced=*/true});
    }
  }
  return mine;
}

}  // namespace peerless
