// The gradient of a table, summed over processes.
#pragma once

#include <vector>

#include "peerless/dist/collectives.h"
#include "peerless/params/row_grad.h"

namespace peerless {

// Each row has an owner, a contiguous range of rows being one rank's. Every process sends the rows that it has touched
// to their owners, which add them up by the binary tree over ranks.
//
// Only touched rows travel, 12 bytes and their values each. Where a step touches all rows that is 1 to 5 % more than a
// dense reduction would send.
class RowReduction {
 public:
  // For a table [rows, width].
  RowReduction(std::int64_t rows, std::int64_t width, at::TensorOptions options, Communicator& communicator);

  // What all processes have of the rows owned here goes into owned(), with ids counted from rows_owned().begin. Of one
  // process alone that is `rows`, which is then empty until gather_owned.
  void reduce(RowGrad& rows);
  const std::shared_ptr<RowGrad>& owned() const { return sums_.front(); }
  Shares elements_owned() const;  // of the flat table, by rank
  const Share& rows_owned() const { return shares_[static_cast<std::size_t>(communicator_.rank())]; }

  // `rows` becomes the sum, on all processes: what all own.
  void gather_owned(RowGrad& rows);
  // Rows of a table that the owners have changed, those in owned(), become what they are there.
  void gather_changed(const at::Tensor& table) const;

 private:
  // Rows on their way: ids [n], sums of squares [n], values [n, W].
  struct Rows {
    at::Tensor ids, squares, values;
  };
  std::size_t owner_of(std::int64_t row) const;
  std::vector<Rows> sorted_by_owner(const RowGrad& rows) const;
  Rows room_for(std::int64_t count) const;
  // What the others send here for what is sent to each of them; by rank, what stays here too.
  std::vector<Rows> exchange(const std::vector<Rows>& to) const;

  Shares shares_;  // of rows
  std::int64_t width_;
  at::TensorOptions options_;
  Communicator& communicator_;
  std::vector<std::shared_ptr<RowGrad>> sums_;  // as each rank sends them; all but the first are empty between calls
};

}  // namespace peerless
