// Where the gradients of a step are: those of dense parameters in one flat buffer, in parameter order; those of tables
// in their RowGrads.
//
// Every dense parameter's .grad is a view of the buffer, into which backward adds, so that norms, reductions and the
// guard are one pass over contiguous memory in an order that never changes. Tensors start at 64-byte boundaries; the
// gaps stay zero.
#pragma once

#include <vector>

#include "peerless/params/parameter_set.h"

namespace peerless {

class Gradients {
 public:
  // Takes over the .grad of all dense parameters, which must have one dtype and device.
  explicit Gradients(const ParameterSet& parameters);

  void clear();  // ready for the next step

  // Where the gradient of a dense parameter lies in dense().
  struct Place {
    at::Tensor parameter;
    std::int64_t begin, end;
    std::int64_t ways;  // its shard is one of so many
  };
  const std::vector<Place>& places() const { return places_; }  // in order

  const at::Tensor& dense() const { return dense_; }  // flat
  struct Table {
    std::shared_ptr<RowGrad> rows;
    std::int64_t ways;
  };
  const std::vector<Table>& tables() const { return tables_; }

 private:
  std::vector<Place> places_;
  at::Tensor dense_;
  std::vector<Table> tables_;
};

}  // namespace peerless
