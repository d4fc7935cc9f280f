// The gradient of a table, summed over processes.
#pragma once

#include <vector>

#include "peerless/dist/communicator.h"
#include "peerless/params/row_grad.h"

namespace peerless {

// Each row has an owner, a contiguous range of rows being one rank's. Every process sends the rows that it has touched
// to their owners, which add them up by the binary tree over ranks and send the sums to all.
//
// Only touched rows travel, 12 bytes and their values each, to one rank and back from it. Where a step touches all rows
// that is 1 to 5 % more than a dense reduction would send.
class RowReduction {
 public:
  // For a table [rows, width].
  RowReduction(std::int64_t rows, std::int64_t width, at::TensorOptions options, Communicator& communicator);

  // `rows` becomes the sum over all processes.
  void sum(RowGrad& rows);

 private:
  // Rows on their way: ids [n], sums of squares [n], values [n, W].
  struct Rows {
    at::Tensor ids, squares, values;
  };
  Rows sorted_by_owner(const RowGrad& rows, std::vector<std::int64_t>& counts) const;
  std::vector<std::int64_t> exchange_counts(const std::vector<std::int64_t>& counts) const;
  std::vector<Rows> exchange_rows(const std::vector<Rows>& to, const std::vector<std::int64_t>& counts) const;
  void add_received(const std::vector<Rows>& received);

  std::int64_t rows_per_owner_, width_;
  at::TensorOptions options_;
  Communicator& communicator_;
  std::vector<RowGrad> sums_;  // of the rows owned here, as each rank sends them; empty between reductions
};

}  // namespace peerless
