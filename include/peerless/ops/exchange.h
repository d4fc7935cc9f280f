// Exchanges among the processes of a group inside forward and backward, as operators that know their gradient.
//
// Rule     all of the group call them alike, and run backward through all of them or none. Autograd runs equal graphs
//          in the same order on all processes.
// Errors   those of the communicator
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "peerless/dist/communicator.h"

namespace peerless {

using RowCounts = std::vector<std::int64_t>;  // by rank

// rows [n, ...], first those that go to rank 0, and so on, as many as `to` says -> the rows that come, as many as
// `from` says, by rank.
at::Tensor send_rows(Communicator& group, const at::Tensor& rows, const RowCounts& to, const RowCounts& from);

// The tokens of a group whose processes share out the columns of what belongs to a token.
//
// Shapes   T tokens of this process, T' of all in the order of ranks, d columns, W processes
class GroupTokens {
 public:
  GroupTokens(Communicator& group, std::int64_t tokens);

  at::Tensor columns_of_all(const at::Tensor& x) const;    // [T, d] -> [T', d / W]: this process's columns
  at::Tensor own_tokens(const at::Tensor& columns) const;  // back
  // [T, ...] -> [T', ...]; its gradient is the sum of all processes'.
  at::Tensor all(const at::Tensor& x) const;

 private:
  Communicator& group_;
  RowCounts tokens_, own_;  // of each process; T for each
};

}  // namespace peerless
