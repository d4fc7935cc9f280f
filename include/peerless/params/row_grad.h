// The gradient of a table by rows: a table may have a million rows of which a step touches a part.
//
//   row ids[s] of the table has gradient values[s, :]      for each slot s < size(); all other rows have none
//
// Slots are handed out in the order in which rows are first touched, so equal steps give equal bits. Micro-batches,
// layers that share a table, and recomputation all add to the same slots. Between steps it is empty; its memory is
// kept, because a fresh buffer a step costs more in page faults than the step itself at a million rows.
//
// Each slot also has the sum of squares of its row, which whoever writes a row writes too while the row is at hand: the
// gradient's norm needs no pass of its own.
//
// There is no other form: a step that touches all rows holds all of them in slots, for 16 N bytes more than [N, W].
//
// Shapes   N rows of the table, W width of a row, R touched rows; values [R, W] in the table's dtype, ids [R] int32
// Memory   4 N bytes for the slots, and as slots are used 12 R bytes and pages of the [N, W] value buffer; on a device
//          all of that buffer at once
// Device   values lie where the table does. Ids and slots are kept by the host: on a device, add() waits for the ids.
// Threads  one at a time, but rows of different slots may be written by many
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <span>
#include <vector>

namespace peerless {

class RowGrad {
 public:
  // Empty, for a table [N, W] of the given dtype, on its device.
  RowGrad(std::int64_t rows, std::int64_t width, at::TensorOptions options);

  struct Claim {
    std::vector<std::int32_t> slots;  // slot of each row asked for
    std::int64_t first_fresh;  // slots from here on hold no value yet: the caller stores them, and adds to others
  };
  // Finds or makes the slots of distinct `rows`. Cost: one pass over them.
  Claim claim(std::span<const std::int32_t> rows);

  // values[slot of rows[i]] += add[i]; rows distinct, add [n, W]. The plain way; kernels claim() and write buffer() and
  // squares().
  void add(const at::Tensor& rows, const at::Tensor& add);
  // Another's rows, whose sums of squares are known. A row that is not here yet is taken over as it is, so that sums
  // by a tree do not depend on who made them.
  void add(std::span<const std::int32_t> rows, const at::Tensor& values, const at::Tensor& squares);
  void add(const RowGrad& other) { add(other.ids(), other.values(), other.squares()); }

  void swap(RowGrad& other) noexcept;

  std::int64_t size() const { return static_cast<std::int64_t>(ids_.size()); }
  std::span<const std::int32_t> ids() const { return ids_; }
  std::span<const std::int32_t> slots() const { return slot_of_row_; }  // of each row of the table; -1: none
  at::Tensor values() const;                                            // [R, W], a view
  at::Tensor buffer() const;                                            // [N, W], of which the first size() rows count
  at::Tensor squares() const;                                           // [N] fp64: of slot s, the sum of values[s]^2
  // Of the touched rows in each block of kNormBlock rows of the table, rows in order: equal bits whatever the order in
  // which rows were touched.
  static constexpr std::int64_t kNormBlock = 16;
  std::vector<double> sums_of_squares() const;

  at::Tensor dense() const;  // [N, W], zeros where no row was touched: for plain references
  void clear();

 private:
  void add_on_host(const Claim& claim, const at::Tensor& values, const at::Tensor& squares);
  void add_on_device(const Claim& claim, const at::Tensor& values, const at::Tensor& squares);

  std::vector<std::int32_t> slot_of_row_;  // -1: none
  std::vector<std::int32_t> ids_;
  at::Tensor values_, squares_;
};

}  // namespace peerless
