#include "peerless/model/stats_sum.h"

#include <algorithm>
#include <bit>
#include <map>

#include "peerless/dist/collectives.h"

namespace peerless {

void StatsSum::add(Stats part) {
  waiting_.push_back(std::move(part));
  const auto merges = order_ == SumOrder::tree ? std::countr_one(count_) : std::min<std::size_t>(count_, 1);
  for (std::size_t i = 0; i < static_cast<std::size_t>(merges); ++i) merge_last();
  ++count_;
}

const Stats& StatsSum::total() {
  TORCH_CHECK(!waiting_.empty(), "a sum of nothing");
  while (waiting_.size() > 1) merge_last();
  return waiting_.front();
}

void StatsSum::merge_last() {
  const Stats right = std::move(waiting_.back());
  waiting_.pop_back();
  waiting_.back().add(right);
}

Stats sum(Communicator& communicator, const Stats& stats) {
  if (communicator.world_size() == 1) return stats;
  std::map<at::ScalarType, std::vector<at::Tensor>> by_type;
  for (const auto& [name, tensor] : stats.named()) by_type[tensor.scalar_type()].push_back(tensor.flatten());
  std::map<at::ScalarType, std::vector<at::Tensor>> summed;
  for (const auto& [type, tensors] : by_type) {
    const auto flat = at::cat(tensors);
    sum(communicator, {flat});
    std::vector<std::int64_t> sizes;
    for (const auto& tensor : tensors) sizes.push_back(tensor.numel());
    summed[type] = flat.split_with_sizes(sizes);
  }
  Stats result;
  std::map<at::ScalarType, std::size_t> next;
  for (const auto& [name, tensor] : stats.named()) {
    const auto type = tensor.scalar_type();
    result.set(name, summed[type][next[type]++].view(tensor.sizes()));
  }
  return result;
}

}  // namespace peerless
