// Operations of all processes together, made of exchanges.
//
// Sums are formed by one binary tree over ranks, ((0 + 1) + (2 + 3)) + ..., element by element. Where each process
// holds such a tree's sum over its own micro-batches, and the numbers of both are powers of two, the result is the tree
// over all micro-batches: the same bits whatever the number of processes.
//
// Shares   a flat tensor is cut into one share for each rank: ceil(n / W) elements each, the last ones fewer
// Cost     sum: each process sends and receives 2 (W - 1) / W of the tensor, directly, and holds it a second time
#pragma once

#include <functional>
#include <string>
#include <vector>

#include "peerless/dist/communicator.h"

namespace peerless {

// Rank r's share of a flat tensor, a view.
at::Tensor share_of(const at::Tensor& flat, std::int64_t rank, std::int64_t world_size);

// This rank's share becomes the sum of all processes' shares; the rest of the tensor stays as it is.
void reduce_scatter(Communicator& communicator, const at::Tensor& flat);
// Every share becomes that of the rank it belongs to.
void all_gather(Communicator& communicator, const at::Tensor& flat);
// The whole becomes the sum.
void sum(Communicator& communicator, const at::Tensor& flat);

// True on all when true on one: how all agree to stop.
bool any(Communicator& communicator, bool here);
// What each process says, by rank.
std::vector<std::string> gather(Communicator& communicator, const std::string& here);

// Calls `work` on all; returns when it went well on all. Where it threw an Error, all throw it: the others with the
// number of the process before it.
void together(Communicator& communicator, const std::function<void()>& work);

// Adds up tensors of one shape by the binary tree over their positions, in place; the result is the first.
void tree_sum(const std::vector<at::Tensor>& parts);

}  // namespace peerless
