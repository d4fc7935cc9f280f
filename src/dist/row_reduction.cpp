#include "src/dist/row_reduction.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <numeric>

namespace peerless {
namespace {

using Counts = std::vector<std::int64_t>;

std::span<const std::int32_t> ids_of(const at::Tensor& ids) {
  return {ids.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(ids.numel())};
}

}  // namespace

RowReduction::RowReduction(std::int64_t rows, std::int64_t width, at::TensorOptions options, Communicator& communicator)
    : rows_per_owner_((rows + communicator.world_size() - 1) / communicator.world_size()),
      width_(width),
      options_(options),
      communicator_(communicator) {
  for (std::int64_t r = 0; r < communicator.world_size(); ++r) sums_.emplace_back(rows_per_owner_, width, options);
}

void RowReduction::sum(RowGrad& rows) {
  if (communicator_.world_size() == 1) return;
  Counts counts;
  const Rows mine = sorted_by_owner(rows, counts);
  std::vector<Rows> to;
  std::int64_t first = 0;
  for (const auto count : counts) {
    to.push_back(
        {mine.ids.narrow(0, first, count), mine.squares.narrow(0, first, count), mine.values.narrow(0, first, count)});
    first += count;
  }
  add_received(exchange_rows(to, exchange_counts(counts)));

  const RowGrad& owned = sums_.front();
  const Rows sums{at::tensor(std::vector<std::int32_t>(owned.ids().begin(), owned.ids().end()), at::kInt),
                  owned.squares().narrow(0, 0, owned.size()), owned.values()};
  const auto world = static_cast<std::size_t>(communicator_.world_size());
  const auto all = exchange_rows(std::vector<Rows>(world, sums), exchange_counts(Counts(world, owned.size())));
  rows.clear();
  for (std::size_t r = 0; r < world; ++r) {
    const auto ids = all[r].ids + static_cast<std::int64_t>(r) * rows_per_owner_;
    rows.add(ids_of(ids), all[r].values, all[r].squares);
  }
  sums_.front().clear();
}

// The rows of each owner one after the other, ids counted from its first row.
RowReduction::Rows RowReduction::sorted_by_owner(const RowGrad& rows, Counts& counts) const {
  const auto ids = rows.ids();
  counts.assign(static_cast<std::size_t>(communicator_.world_size()), 0);
  for (const auto id : ids) ++counts[static_cast<std::size_t>(id / rows_per_owner_)];
  Counts next(counts.size());
  std::exclusive_scan(counts.begin(), counts.end(), next.begin(), std::int64_t{0});
  std::vector<std::int32_t> sorted(ids.size());
  std::vector<std::int64_t> slots(ids.size());
  for (std::size_t slot = 0; slot < ids.size(); ++slot) {
    const auto owner = static_cast<std::size_t>(ids[slot] / rows_per_owner_);
    const auto place = static_cast<std::size_t>(next[owner]++);
    sorted[place] = static_cast<std::int32_t>(ids[slot] % rows_per_owner_);
    slots[place] = static_cast<std::int64_t>(slot);
  }
  const auto order = at::tensor(slots, at::kLong).to(options_.device());
  return {at::tensor(sorted, at::kInt), rows.squares().index_select(0, order), rows.values().index_select(0, order)};
}

// What the others will send here, for what this process will send to them.
Counts RowReduction::exchange_counts(const Counts& counts) const {
  const auto to = at::tensor(counts, at::kLong), from = to.clone();
  communicator_.exchange(to.split(1), from.split(1));
  return {from.const_data_ptr<std::int64_t>(), from.const_data_ptr<std::int64_t>() + from.numel()};
}

std::vector<RowReduction::Rows> RowReduction::exchange_rows(const std::vector<Rows>& to, const Counts& counts) const {
  std::vector<Rows> from;
  for (std::size_t r = 0; r < counts.size(); ++r) {
    if (static_cast<std::int64_t>(r) == communicator_.rank())
      from.push_back(to[r]);
    else
      from.push_back({at::empty({counts[r]}, at::kInt), at::empty({counts[r]}, options_.dtype(at::kDouble)),
                      at::empty({counts[r], width_}, options_)});
  }
  for (const auto part : {&Rows::ids, &Rows::squares, &Rows::values}) {
    std::vector<at::Tensor> sent, received;
    for (const auto& rows : to) sent.push_back(rows.*part);
    for (const auto& rows : from) received.push_back(rows.*part);
    communicator_.exchange(sent, received);
  }
  return from;
}

// Into sums_[0], which is empty before, as the others are before and after.
void RowReduction::add_received(const std::vector<Rows>& received) {
  for (std::size_t r = 0; r < received.size(); ++r)
    sums_[r].add(ids_of(received[r].ids), received[r].values, received[r].squares);
  for (std::size_t stride = 1; stride < sums_.size(); stride *= 2)
    for (std::size_t i = 0; i + stride < sums_.size(); i += 2 * stride) {
      sums_[i].add(sums_[i + stride]);
      sums_[i + stride].clear();
    }
}

}  // namespace peerless
