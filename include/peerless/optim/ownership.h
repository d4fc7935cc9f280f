// Who updates what. Alone, or without ZeRO, each process updates everything. With ZeRO-1 each parameter's optimizer
// state is held, and its update made, by the one that owns that part of it:
//
//   dense parameters   equal flat shares; those of Muon whole matrix by whole matrix, the largest first, each to the
//                      process with the least
//   tables             equal ranges of rows
//
// A shard (params/parameter.h) is divided among those that hold the same one.
//
// Source   Rajbhandari et al. 2020, arXiv:1910.02054, section 5.1 (P_os)
#pragma once

#include <vector>

#include "peerless/dist/gradient_reduction.h"
#include "peerless/optim/config.h"
#include "peerless/params/parameter_set.h"

namespace peerless {

// A parameter, and the part of it that this process updates.
struct Owned {
  Parameter parameter;
  Share part;                     // flat elements of a dense one, rows of a table
  std::shared_ptr<RowGrad> rows;  // of a table: the gradient of those rows, counted from the first
  bool sliced = false;            // other holders of the shard have other parts

  at::Tensor piece_of(const at::Tensor& whole) const;  // that part: flat, or [rows, width]
  // State of the optimizer for that part, and its name with a prefix, which tells what part it is of.
  at::Tensor zeros() const;
  NamedTensor named(const std::string& prefix, const at::Tensor& state) const;
};

// All of all.
std::vector<Owned> everything(const ParameterSet& parameters);

// Of each dense parameter, the share of each process that holds the same shard.
std::vector<Shares> deal(const ParameterSet& parameters, const OptimConfig& config, std::int64_t world_size);

// The parts of process `rank`, for owners as dealt.
std::vector<Owned> owned_by(std::int64_t rank, const ParameterSet& parameters, const std::vector<Shares>& owners,
                            const GradientReduction& reduction);

}  // namespace peerless
