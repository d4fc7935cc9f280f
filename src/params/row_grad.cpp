#include "peerless/params/row_grad.h"

#include <ATen/ops/tensor.h>
#include <ATen/ops/zeros.h>

#include <numeric>

#include "peerless/params/huge_pages.h"

namespace peerless {

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
  const Claim claim = this->claim({host.const_data_ptr<std::int32_t>(), static_cast<std::size_t>(host.numel())});
  values_.slice(0, claim.first_fresh, size()).zero_();
  const auto slots = at::tensor(claim.slots, at::kInt).to(values_.device());
  values_.index_add_(0, slots, add.to(values_.scalar_type()));
  squares_.index_copy_(0, slots.to(at::kLong), values_.index_select(0, slots).to(at::kDouble).square().sum(1));
}

at::Tensor RowGrad::values() const { return values_.slice(0, 0, size()); }

at::Tensor RowGrad::buffer() const { return values_; }

at::Tensor RowGrad::squares() const { return squares_; }

double RowGrad::sum_of_squares() const {
  const auto squares = squares_.slice(0, 0, size());
  if (!squares.is_cpu()) return squares.sum().item<double>();
  const auto* const first = squares.const_data_ptr<double>();
  return std::accumulate(first, first + size(), 0.0);
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
