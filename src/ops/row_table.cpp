#include "peerless/ops/row_table.h"

#include "peerless/params/huge_pages.h"

namespace peerless {

namespace {

Shard shard_of(std::int64_t num_rows, std::int64_t width, const RowTable::Columns& columns) {
  if (columns.parts == 1) return {{num_rows, width}, 1, columns.index, columns.ways};
  return {{num_rows, columns.parts, width / columns.parts}, 2, columns.index, columns.ways};
}

}  // namespace

RowTable::RowTable(std::int64_t num_rows, std::int64_t width, Init init, at::TensorOptions options,
                   const Columns& columns)
    : Module(options),
      grad_(std::make_shared<RowGrad>(num_rows, width / columns.ways, options)),
      weight_(make_table("weight", huge_zeros({num_rows, width / columns.ways}, options), std::move(init), grad_,
                         shard_of(num_rows, width, columns))) {}

}  // namespace peerless
