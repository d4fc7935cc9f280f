#include "peerless/ops/row_table.h"

#include "peerless/params/huge_pages.h"

namespace peerless {

RowTable::RowTable(std::int64_t num_rows, std::int64_t width, Init init, at::TensorOptions options)
    : Module(options),
      grad_(std::make_shared<RowGrad>(num_rows, width, options)),
      weight_(make_table("weight", huge_zeros({num_rows, width}, options), std::move(init), grad_)) {}

}  // namespace peerless
