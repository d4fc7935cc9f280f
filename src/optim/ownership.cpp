#include "peerless/optim/ownership.h"

#include <algorithm>
#include <functional>
#include <map>
#include <numeric>
#include <utility>

#include "peerless/optim/norms.h"
#include "peerless/params/huge_pages.h"

namespace peerless {
namespace {

// A parameter whose matrices are dealt, in units of as few whole ones as make whole blocks of norms.
struct Stack {
  std::size_t number;
  std::int64_t size, unit;
};
Stack stack_of(std::size_t number, const at::Tensor& matrices) {
  return {number, matrices.numel(), std::lcm(matrices.size(-2) * matrices.size(-1), kNormBlock)};
}

// Each unit to the least loaded process, the largest first; of one stack each process has neighbours.
void deal_whole(std::vector<Stack> stacks, std::vector<Shares>& owners, std::int64_t world_size) {
  std::ranges::stable_sort(stacks, std::greater(), [](const Stack& s) { return std::min(s.unit, s.size); });
  std::vector<std::int64_t> load(static_cast<std::size_t>(world_size));
  for (const auto& [number, size, unit] : stacks) {
    std::vector<std::int64_t> here(load.size());
    for (std::int64_t at = 0; at < size; at += unit) {
      const auto least = static_cast<std::size_t>(std::ranges::min_element(load) - load.begin());
      load[least] += std::min(unit, size - at);
      here[least] += unit;
    }
    std::int64_t next = 0;
    for (const auto elements : here) {
      const auto begin = std::exchange(next, std::min(size, next + elements));
      owners[number].push_back({begin, next});
    }
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
  std::map<std::int64_t, std::vector<Stack>> whole;  // by the number of their holders
  for (const auto& p : parameters.parameters()) {
    if (p.rows) continue;
    const std::int64_t holders = world_size / p.shard.ways;
    if (whole_matrices && p.role == Role::matrix) {
      whole[holders].push_back(stack_of(owners.size(), p.tensor));
      owners.emplace_back();
    } else {
      owners.push_back(equal_shares(p.tensor.numel(), holders, kNormBlock));
    }
  }
  for (const auto& [holders, stacks] : whole) deal_whole(stacks, owners, holders);
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
