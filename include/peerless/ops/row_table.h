// A table of rows of which a step reads and writes a few: PEER's experts, a memory's values.
//
// All that belongs to one id lies side by side in its row ([u | v] for a single-neuron expert), so that an id costs one
// stretch of memory. The gradient does not go to `weight().grad()`, which stays undefined: operators add the rows they
// touched to `grad()` (params/row_grad.h).
//
// Shapes  weight [N, W], float or double
// Memory  weight and gradient buffer each N W elements; huge pages where big (params/huge_pages.h)
#pragma once

#include <cstdint>
#include <memory>

#include "peerless/params/module.h"
#include "peerless/params/row_grad.h"

namespace peerless {

class RowTable : public Module {
 public:
  RowTable(std::int64_t num_rows, std::int64_t width, Init init, at::TensorOptions options = {});

  const at::Tensor& weight() const { return weight_; }
  const std::shared_ptr<RowGrad>& grad() const { return grad_; }

 private:
  std::shared_ptr<RowGrad> grad_;
  at::Tensor weight_;
};

}  // namespace peerless
