// Operations of all processes together, made of exchanges.
//
// Sums are formed by one binary tree over ranks, ((0 + 1) + (2 + 3)) + ..., element by element. Where each process
// holds such a tree's sum over its own micro-batches, and the numbers of both are powers of two, the result is the tree
// over all micro-batches: the same bits whatever the number of processes.
//
// Shares   A flat tensor is cut into one share for each rank, in order, maybe empty. Equal shares are of whole blocks
//          of elements, so that what is summed over such blocks (norms) can be summed by those who own them.
// Cost     sum: each process sends and receives 2 (W - 1) / W of the tensors, directly from and to each other one, and
//          holds at most 8 MiB of each rank beside them
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/dist/communicator.h"

namespace peerless {

// Elements [begin, end).
struct Share {
  std::int64_t begin = 0, end = 0;
  std::int64_t size() const { return end - begin; }
  bool operator==(const Share&) const = default;
};
using Shares = std::vector<Share>;  // by rank

// Of n elements: as many blocks each, or one more. The last block may be short.
Shares equal_shares(std::int64_t n, std::int64_t world_size, std::int64_t block);

struct SharedTensor {
  at::Tensor flat;
  Shares shares;
};

// In each tensor, this rank's share becomes the sum of all processes' shares; the rest stays as it is.
void reduce_scatter(Communicator& communicator, const std::vector<SharedTensor>& tensors);
// In each tensor, every share becomes that of the rank it belongs to.
void all_gather(Communicator& communicator, const std::vector<SharedTensor>& tensors);
// Each flat tensor becomes the sum.
void sum(Communicator& communicator, const std::vector<at::Tensor>& tensors);

// Each process sends each other one its tensor of `to`, and receives into that of `from`, both by rank. What it has for
// itself stays untouched.
void send_to_all(Communicator& communicator, const std::vector<at::Tensor>& to, const std::vector<at::Tensor>& from);

// True on all when true on one: how all agree to stop.
bool any(Communicator& communicator, bool here);
// What each process says, by rank.
std::vector<std::string> gather(Communicator& communicator, const std::string& here);
std::vector<std::int64_t> gather(Communicator& communicator, std::int64_t here);
// What each process has for this one, by rank, when this one has `to` for each.
std::vector<std::int64_t> trade(Communicator& communicator, const std::vector<std::int64_t>& to);

// Like together(Peers&, ...), but an exception of LibTorch becomes an Error.
void together(Communicator& communicator, const std::function<void()>& work);

}  // namespace peerless
