// The gradient of a table, summed over processes.
#pragma once

#include <functional>
#include <vector>

#include "peerless/dist/collectives.h"
#include "peerless/params/row_grad.h"

namespace peerless {

// Each row has an owner, a contiguous range of rows being one rank's. Every process sends the rows that it has touched
// to their owners, which add them up by the binary tree over ranks.
//
// Only touched rows travel, 12 bytes and their values each. Where a step touches all rows that is 1 to 5 % more than a
// dense reduction would send. They travel in pieces: beside the sums of the rows owned here, and what arrives for them,
// at most 64 MiB are in flight in each direction.
class RowReduction {
 public:
  // Values on their way to the others, and from them.
  static constexpr std::int64_t kBytesUnderWay = std::int64_t{64} << 20;

  // `copies` are the processes that hold this shard of the table; the rest of `all` hold the other shards. All make
  // equally many exchanges, however many rows each shard has.
  RowReduction(std::shared_ptr<RowGrad> gradient, Communicator& copies, Communicator& all,
               std::int64_t bytes_under_way = kBytesUnderWay);

  // What all processes' gradients have of the rows owned here goes into owned(), with ids counted from
  // rows_owned().begin. Of one process alone that is the gradient itself.
  void reduce();
  const std::shared_ptr<RowGrad>& owned() const { return sums_.front(); }
  Shares elements_owned() const;  // of the flat table, by rank
  const Share& rows_owned() const { return shares_[static_cast<std::size_t>(copies_.rank())]; }

  // The gradient becomes the sum, on all processes: what all own.
  void gather_owned();
  // Rows of a table that the owners have changed, those in owned(), become what they are there.
  void gather_changed(const at::Tensor& table) const;

 private:
  // Rows that go to a rank: their ids, and where they are among what is sent, which is all in order if undefined.
  struct Selection {
    at::Tensor ids, from;
  };
  // Rows on their way: ids [n], sums of squares [n] or undefined, values [n, W].
  struct Rows {
    at::Tensor ids, squares, values;
  };
  struct Counts {
    std::vector<std::int64_t> from;  // of rows that each rank sends here
    std::int64_t largest;            // that any process sends any other
  };
  std::size_t owner_of(std::int64_t row) const;
  std::vector<Selection> sorted_by_owner() const;
  // Sends each rank what is selected for it, or all ranks the one selection; take() gets what each sends here, and what
  // stays here, piece by piece, each rank's in order.
  void exchange(const std::vector<Selection>& to, const at::Tensor& values, const at::Tensor& squares,
                const std::function<void(std::size_t rank, const Rows& piece)>& take) const;
  Counts exchange_counts(const std::vector<Selection>& to) const;
  Rows piece_of(const Selection& selection, std::int64_t begin, const at::Tensor& values,
                const at::Tensor& squares) const;
  Rows room_for(std::int64_t count, const at::Tensor& squares) const;

  std::shared_ptr<RowGrad> gradient_;
  Shares shares_;           // of the table's rows
  at::TensorOptions like_;  // the gradient
  std::int64_t width_;
  std::int64_t piece_;  // rows that travel at once between two ranks
  Communicator &copies_, &all_;
  std::vector<std::shared_ptr<RowGrad>> sums_;  // as each rank sends them; all but the first are empty between calls
};

}  // namespace peerless
