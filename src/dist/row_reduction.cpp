#include "peerless/dist/row_reduction.h"

#include <ATen/TensorOperators.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/tensor.h>

#include <algorithm>

namespace peerless {
namespace {

std::span<const std::int32_t> ids_of(const at::Tensor& ids) {
  return {ids.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(ids.numel())};
}

at::Tensor tensor_of(std::span<const std::int32_t> ids) {
  return at::tensor(at::ArrayRef<std::int32_t>(ids.data(), ids.size()), at::kInt);
}

}  // namespace

RowReduction::RowReduction(std::int64_t rows, std::int64_t width, at::TensorOptions options, Communicator& communicator)
    : shares_(equal_shares(rows, communicator.world_size(), RowGrad::kNormBlock)),
      width_(width),
      options_(options),
      communicator_(communicator) {
  const auto own = rows_owned().size();
  for (std::int64_t r = 0; r < communicator.world_size(); ++r)
    sums_.push_back(std::make_shared<RowGrad>(own, width, options));
}

Shares RowReduction::elements_owned() const {
  Shares elements = shares_;
  for (auto& share : elements) share = {share.begin * width_, share.end * width_};
  return elements;
}

void RowReduction::reduce(RowGrad& rows) {
  sums_.front()->clear();
  if (sums_.size() == 1) return sums_.front()->swap(rows);
  const auto received = exchange(sorted_by_owner(rows));
  for (std::size_t r = 0; r < received.size(); ++r)
    sums_[r]->add(ids_of(received[r].ids), received[r].values, received[r].squares);
  for (std::size_t stride = 1; stride < sums_.size(); stride *= 2)
    for (std::size_t i = 0; i + stride < sums_.size(); i += 2 * stride) {
      sums_[i]->add(*sums_[i + stride]);
      sums_[i + stride]->clear();
    }
}

void RowReduction::gather_owned(RowGrad& rows) {
  if (sums_.size() == 1) return sums_.front()->swap(rows);
  const RowGrad& sum = *owned();
  const Rows mine{tensor_of(sum.ids()), sum.squares().narrow(0, 0, sum.size()), sum.values()};
  const auto all = exchange(std::vector<Rows>(sums_.size(), mine));
  rows.clear();
  for (std::size_t r = 0; r < all.size(); ++r) {
    const auto ids = all[r].ids + shares_[r].begin;
    rows.add(ids_of(ids), all[r].values, all[r].squares);
  }
}

void RowReduction::gather_changed(const at::Tensor& table) const {
  const auto ids = tensor_of(owned()->ids());
  const auto there = (ids.to(at::kLong) + rows_owned().begin).to(table.device());
  const Rows mine{ids, owned()->squares().narrow(0, 0, ids.numel()), table.index_select(0, there)};
  const auto all = exchange(std::vector<Rows>(sums_.size(), mine));
  for (std::size_t r = 0; r < all.size(); ++r) {
    if (static_cast<std::int64_t>(r) == communicator_.rank()) continue;
    const auto rows = all[r].ids.to(at::kLong) + shares_[r].begin;
    table.index_copy_(0, rows.to(table.device()), all[r].values);
  }
}

std::size_t RowReduction::owner_of(std::int64_t row) const {
  const auto after = [](std::int64_t r, const Share& share) { return r < share.end; };
  return static_cast<std::size_t>(std::upper_bound(shares_.begin(), shares_.end(), row, after) - shares_.begin());
}

std::vector<RowReduction::Rows> RowReduction::sorted_by_owner(const RowGrad& rows) const {
  std::vector<std::vector<std::int32_t>> ids(sums_.size());
  std::vector<std::vector<std::int64_t>> slots(sums_.size());
  for (std::size_t slot = 0; slot < rows.ids().size(); ++slot) {
    const auto row = rows.ids()[slot];
    const auto owner = owner_of(row);
    ids[owner].push_back(static_cast<std::int32_t>(row - shares_[owner].begin));
    slots[owner].push_back(static_cast<std::int64_t>(slot));
  }
  std::vector<Rows> sorted;
  for (std::size_t r = 0; r < ids.size(); ++r) {
    const auto from = at::tensor(slots[r], at::kLong).to(options_.device());
    sorted.push_back({tensor_of(ids[r]), rows.squares().index_select(0, from), rows.values().index_select(0, from)});
  }
  return sorted;
}

RowReduction::Rows RowReduction::room_for(std::int64_t count) const {
  return {at::empty({count}, at::kInt), at::empty({count}, options_.dtype(at::kDouble)),
          at::empty({count, width_}, options_)};
}

std::vector<RowReduction::Rows> RowReduction::exchange(const std::vector<Rows>& to) const {
  const auto rank = static_cast<std::size_t>(communicator_.rank());
  const auto counts = at::empty({2, communicator_.world_size()}, at::kLong);  // to each, from each
  Messages sent, received;
  for (std::size_t r = 0; r < to.size(); ++r) {
    const auto peer = static_cast<std::int64_t>(r);
    counts[0][peer] = to[r].ids.numel();
    if (r == rank) continue;
    sent.push_back({peer, counts[0].slice(0, peer, peer + 1)});
    received.push_back({peer, counts[1].slice(0, peer, peer + 1)});
  }
  communicator_.exchange(sent, received);

  sent.clear();
  received.clear();
  std::vector<Rows> from;
  for (std::size_t r = 0; r < to.size(); ++r) {
    const auto peer = static_cast<std::int64_t>(r);
    from.push_back(r == rank ? to[r] : room_for(counts[1][peer].item<std::int64_t>()));
    if (r == rank) continue;
    for (const auto part : {&Rows::ids, &Rows::squares, &Rows::values}) {
      sent.push_back({peer, to[r].*part});
      received.push_back({peer, from[r].*part});
    }
  }
  communicator_.exchange(sent, received);
  return from;
}

}  // namespace peerless
