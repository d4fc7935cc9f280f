#include "peerless/params/row_grad.h"

#include <ATen/Dispatch.h>
#include <ATen/Parallel.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <array>
#include <numeric>
#include <utility>

#include "peerless/params/huge_pages.h"

namespace peerless {
namespace {

at::Tensor squares_of(const at::Tensor& values) { return values.to(at::kDouble).square().sum(1); }

// row += more; the sum of squares of the result.
template <class T>
double add_row(T* row, const T* more, std::int64_t width) {
  constexpr std::int64_t kLanes = 8;
  std::array<double, kLanes> sums{};
  const auto add = [&](std::int64_t i, std::int64_t lane) {
    row[i] += more[i];
    sums[static_cast<std::size_t>(lane)] += static_cast<double>(row[i]) * static_cast<double>(row[i]);
  };
  std::int64_t i = 0;
  for (; i + kLanes <= width; i += kLanes)
    for (std::int64_t lane = 0; lane < kLanes; ++lane) add(i + lane, lane);
  for (; i < width; ++i) add(i, i % kLanes);
  return std::accumulate(sums.begin(), sums.end(), 0.0);
}

}  // namespace

RowGrad::RowGrad(std::int64_t rows, std::int64_t width, at::TensorOptions options)
    : slot_of_row_(static_cast<std::size_t>(rows), -1),
      values_(huge_zeros({rows, width}, options)),
      squares_(huge_zeros({rows}, options.dtype(at::kDouble))) {}

RowGrad::Claim RowGrad::claim(std::span<const std::int32_t> rows) {
  Claim claim{std::vector<std::int32_t>(rows.size()), size()};
  for (std::size_t i = 0; i < rows.size(); ++i) {
    std::int32_t& slot = slot_of_row_[static_cast<std::size_t>(rows[i])];
    if (slot < 0) {
      slot = static_cast<std::int32_t>(ids_.size());
      ids_.push_back(rows[i]);
    }
    claim.slots[i] = slot;
  }
  return claim;
}

void RowGrad::add(const at::Tensor& rows, const at::Tensor& add) {
  const auto host = rows.to(at::kCPU, at::kInt).contiguous();
  const auto values = add.to(values_.scalar_type()).contiguous();
  this->add({host.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(host.numel())}, values, squares_of(values));
}

void RowGrad::add(std::span<const std::int32_t> rows, const at::Tensor& values, const at::Tensor& squares) {
  TORCH_CHECK(values.is_contiguous() && values.scalar_type() == values_.scalar_type(), "rows of another form");
  const Claim claim = this->claim(rows);
  if (values_.is_cpu())
    add_on_host(claim, values, squares);
  else
    add_on_device(claim, values, squares);
}

void RowGrad::add_on_host(const Claim& claim, const at::Tensor& values, const at::Tensor& squares) {
  constexpr std::int64_t kRowsAtLeast = 64;  // of a thread
  const auto n = static_cast<std::int64_t>(claim.slots.size()), width = values_.size(1);
  AT_DISPATCH_FLOATING_TYPES(values_.scalar_type(), "RowGrad::add", [&] {
    const auto* const from = values.const_data_ptr<scalar_t>();
    const auto* const from_squares = squares.const_data_ptr<double>();
    auto* const into = values_.mutable_data_ptr<scalar_t>();
    auto* const into_squares = squares_.mutable_data_ptr<double>();
    at::parallel_for(0, n, kRowsAtLeast, [&](std::int64_t first, std::int64_t last) {
      for (std::int64_t i = first; i < last; ++i) {
        const std::int64_t slot = claim.slots[static_cast<std::size_t>(i)];
        if (slot >= claim.first_fresh) {
          std::copy_n(from + i * width, width, into + slot * width);
          into_squares[slot] = from_squares[i];
        } else {
          into_squares[slot] = add_row(into + slot * width, from + i * width, width);
        }
      }
    });
  });
}

void RowGrad::add_on_device(const Claim& claim, const at::Tensor& values, const at::Tensor& squares) {
  const auto slots = at::tensor(claim.slots, at::kInt).to(at::kLong).to(values_.device());
  const auto is_fresh = slots >= claim.first_fresh;
  const auto fresh = is_fresh.nonzero().squeeze(1), known = is_fresh.logical_not().nonzero().squeeze(1);
  const auto slots_of = [&](const at::Tensor& some) { return slots.index_select(0, some); };
  values_.index_copy_(0, slots_of(fresh), values.index_select(0, fresh));
  squares_.index_copy_(0, slots_of(fresh), squares.slice(0, 0, values.size(0)).index_select(0, fresh));
  const auto sums = values_.index_select(0, slots_of(known)) + values.index_select(0, known);
  values_.index_copy_(0, slots_of(known), sums);
  squares_.index_copy_(0, slots_of(known), squares_of(sums));
}

void RowGrad::swap(RowGrad& other) noexcept {
  std::swap(slot_of_row_, other.slot_of_row_);
  std::swap(ids_, other.ids_);
  std::swap(values_, other.values_);
  std::swap(squares_, other.squares_);
}

at::Tensor RowGrad::values() const { return values_.slice(0, 0, size()); }

at::Tensor RowGrad::buffer() const { return values_; }

at::Tensor RowGrad::squares() const { return squares_; }

std::vector<double> RowGrad::sums_of_squares() const {
  constexpr std::int64_t kBlocksAtLeast = 512;  // of a thread
  const auto host = squares_.slice(0, 0, size()).cpu();
  const auto* const squares = host.const_data_ptr<double>();
  const auto num_rows = static_cast<std::int64_t>(slot_of_row_.size());
  const auto num_blocks = (num_rows + kNormBlock - 1) / kNormBlock;
  std::vector<double> sums(static_cast<std::size_t>(num_blocks));
  at::parallel_for(0, num_blocks, kBlocksAtLeast, [&](std::int64_t first, std::int64_t last) {
    for (std::int64_t b = first; b < last; ++b)
      for (std::int64_t row = b * kNormBlock; row < std::min(num_rows, (b + 1) * kNormBlock); ++row)
        if (const auto slot = slot_of_row_[static_cast<std::size_t>(row)]; slot >= 0)
          sums[static_cast<std::size_t>(b)] += squares[slot];
  });
  return sums;
}

at::Tensor RowGrad::dense() const {
  auto all = at::zeros(values_.sizes(), values_.options());
  all.index_copy_(0, at::tensor(ids_, at::kLong).to(values_.device()), values());
  return all;
}

void RowGrad::clear() {
  for (const std::int32_t id : ids_) slot_of_row_[static_cast<std::size_t>(id)] = -1;
  ids_.clear();
}

}  // namespace peerless
