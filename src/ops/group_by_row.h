// Which pairs ask for which row: the sort that gives every row one owner.
#pragma once

#include <cstdint>
#include <span>
#include <vector>

namespace peerless {

struct PairsByRow {
  std::vector<std::int32_t> rows;    // [R] the rows asked for, ascending
  std::vector<std::int64_t> starts;  // [R + 1]
  std::vector<std::int32_t> order;   // pairs: those of rows[r] at [starts[r], starts[r + 1]), ascending
};

// `row_of_pair[i]` is the row, in [0, num_rows), that pair i asks for; fewer than 2^31 pairs.
// Cost: O(pairs), with no term in num_rows.
PairsByRow group_by_row(std::span<const std::int32_t> row_of_pair, std::int64_t num_rows);

}  // namespace peerless
