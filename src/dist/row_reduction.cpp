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

// Of what there is for each rank, or one for all.
template <class T>
const T& of_rank(const std::vector<T>& some, std::size_t rank) {
  return some.size() == 1 ? some.front() : some[rank];
}

}  // namespace

RowReduction::RowReduction(std::shared_ptr<RowGrad> gradient, Communicator& copies, Communicator& all,
                           std::int64_t bytes_under_way)
    : gradient_(std::move(gradient)),
      shares_(equal_shares(gradient_->buffer().size(0), copies.world_size(), RowGrad::kNormBlock)),
      like_(gradient_->buffer().options()),
      width_(gradient_->buffer().size(1)),
      piece_(std::max(std::int64_t{1}, bytes_under_way / (copies.world_size() * width_ *
                                                          static_cast<std::int64_t>(like_.dtype().itemsize())))),
      copies_(copies),
      all_(all) {
  if (copies.world_size() == 1) {
    sums_.push_back(gradient_);
    return;
  }
  for (std::int64_t r = 0; r < copies.world_size(); ++r)
    sums_.push_back(std::make_shared<RowGrad>(rows_owned().size(), width_, like_));
}

Shares RowReduction::elements_owned() const {
  Shares elements = shares_;
  for (auto& share : elements) share = {share.begin * width_, share.end * width_};
  return elements;
}

void RowReduction::reduce() {
  if (sums_.size() == 1) return;
  sums_.front()->clear();
  exchange(sorted_by_owner(), gradient_->values(), gradient_->squares(), [this](std::size_t rank, const Rows& piece) {
    sums_[rank]->add(ids_of(piece.ids), piece.values, piece.squares);
  });
  for (std::size_t stride = 1; stride < sums_.size(); stride *= 2)
    for (std::size_t i = 0; i + stride < sums_.size(); i += 2 * stride) {
      sums_[i]->add(*sums_[i + stride]);
      sums_[i + stride]->clear();
    }
}

void RowReduction::gather_owned() {
  if (sums_.size() == 1) return;
  gradient_->clear();
  const RowGrad& sum = *owned();
  exchange({{tensor_of(sum.ids()), {}}}, sum.values(), sum.squares(), [&](std::size_t rank, const Rows& piece) {
    const auto ids = piece.ids + shares_[rank].begin;
    gradient_->add(ids_of(ids), piece.values, piece.squares);
  });
}

void RowReduction::gather_changed(const at::Tensor& table) const {
  if (sums_.size() == 1) return;
  const auto ids = tensor_of(owned()->ids());
  const auto from = (ids.to(at::kLong) + rows_owned().begin).to(table.device());
  exchange({{ids, from}}, table, {}, [&](std::size_t rank, const Rows& piece) {
    if (static_cast<std::int64_t>(rank) == copies_.rank()) return;
    const auto rows = piece.ids.to(at::kLong) + shares_[rank].begin;
    table.index_copy_(0, rows.to(table.device()), piece.values);
  });
}

std::size_t RowReduction::owner_of(std::int64_t row) const {
  const auto after = [](std::int64_t r, const Share& share) { return r < share.end; };
  return static_cast<std::size_t>(std::upper_bound(shares_.begin(), shares_.end(), row, after) - shares_.begin());
}

std::vector<RowReduction::Selection> RowReduction::sorted_by_owner() const {
  std::vector<std::vector<std::int32_t>> ids(sums_.size());
  std::vector<std::vector<std::int64_t>> slots(sums_.size());
  for (std::size_t slot = 0; slot < gradient_->ids().size(); ++slot) {
    const auto row = gradient_->ids()[slot];
    const auto owner = owner_of(row);
    ids[owner].push_back(static_cast<std::int32_t>(row - shares_[owner].begin));
    slots[owner].push_back(static_cast<std::int64_t>(slot));
  }
  std::vector<Selection> sorted;
  for (std::size_t r = 0; r < ids.size(); ++r)
    sorted.push_back({tensor_of(ids[r]), at::tensor(slots[r], at::kLong).to(like_.device())});
  return sorted;
}

void RowReduction::exchange(const std::vector<Selection>& to, const at::Tensor& values, const at::Tensor& squares,
                            const std::function<void(std::size_t rank, const Rows& piece)>& take) const {
  const auto counts = exchange_counts(to);
  for (std::int64_t begin = 0; begin < counts.largest; begin += piece_) {
    std::vector<Rows> pieces;
    for (const auto& selection : to) pieces.push_back(piece_of(selection, begin, values, squares));
    Messages sent, received;
    std::vector<Rows> from;
    for (std::size_t r = 0; r < sums_.size(); ++r) {
      const Rows& piece = of_rank(pieces, r);
      const bool here = static_cast<std::int64_t>(r) == copies_.rank();
      from.push_back(here ? piece : room_for(std::clamp(counts.from[r] - begin, std::int64_t{0}, piece_), squares));
      if (here) continue;
      for (const auto part : {&Rows::ids, &Rows::squares, &Rows::values}) {
        if (!(piece.*part).defined()) continue;
        sent.push_back({static_cast<std::int64_t>(r), piece.*part});
        received.push_back({static_cast<std::int64_t>(r), from[r].*part});
      }
    }
    copies_.exchange(sent, received);
    for (std::size_t r = 0; r < sums_.size(); ++r) take(r, from[r]);
  }
}

// All send the same number of pieces, empty ones among them: a process's count of exchanges tells who is behind.
RowReduction::Counts RowReduction::exchange_counts(const std::vector<Selection>& to) const {
  std::vector<std::int64_t> here;
  for (std::size_t r = 0; r < sums_.size(); ++r) here.push_back(of_rank(to, r).ids.numel());
  const auto largest = gather(all_, *std::max_element(here.begin(), here.end()));
  return {trade(copies_, here), *std::max_element(largest.begin(), largest.end())};
}

RowReduction::Rows RowReduction::piece_of(const Selection& selection, std::int64_t begin, const at::Tensor& values,
                                          const at::Tensor& squares) const {
  const auto count = selection.ids.numel();
  const auto first = std::min(begin, count), last = std::min(begin + piece_, count);
  const auto of = [&](const at::Tensor& all) {
    if (!all.defined()) return all;
    if (!selection.from.defined()) return all.slice(0, first, last);
    return all.index_select(0, selection.from.slice(0, first, last));
  };
  return {selection.ids.slice(0, first, last), of(squares), of(values)};
}

RowReduction::Rows RowReduction::room_for(std::int64_t count, const at::Tensor& squares) const {
  return {at::empty({count}, at::kInt), squares.defined() ? at::empty({count}, squares.options()) : at::Tensor(),
          at::empty({count, width_}, like_)};
}

}  // namespace peerless
