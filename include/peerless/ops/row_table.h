// A table of rows of which a step reads and writes a few: PEER's experts, a memory's values.
//
// All that belongs to one id lies side by side in its row ([u | v] for a single-neuron expert), so that an id costs one
// stretch of memory. The gradient does not go to `weight().grad()`, which stays undefined: operators add the rows they
// touched to `grad()` (params/row_grad.h).
//
// A process of a group that shares the table has some columns of each part of a row: of [u | v] the same of u and of v.
//
// Shapes  weight [N, W], float or double; of W' = W / ways columns in a group
// Memory  weight and gradient buffer each N W elements; huge pages where big (params/huge_pages.h)
#pragma once

#include <cstdint>
#include <memory>

#include "peerless/params/module.h"
#include "peerless/params/row_grad.h"

namespace peerless {

class RowTable : public Module {
 public:
  struct Columns {  // of each of `parts` parts of a row, those of `index` where `ways` processes share them
    std::int64_t parts = 1, index = 0, ways = 1;
  };
  RowTable(std::int64_t num_rows, std::int64_t width, Init init, at::TensorOptions options = {},
           const Columns& columns = {1, 0, 1});

  const at::Tensor& weight() const { return weight_; }
  const std::shared_ptr<RowGrad>& grad() const { return grad_; }

 private:
  std::shared_ptr<RowGrad> grad_;
  at::Tensor weight_;
};

}  // namespace peerless
