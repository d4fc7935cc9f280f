// The contract that every feed-forward block keeps. Blocks live one per file beside this one; ffw_kinds.h lists them.
//
// forward   const: y of x's shape and dtype. It writes no state: what it wants to remember leaves in `stats`
//           (model/stats.h), summed over the step; commit() applies the sum once. Random choices, if any, are functions
//           of their inputs.
// training  Module::is_training() chooses what forward computes with and reports (batch or running statistics), never
//           what it stores.
// tables    belong to the transformer, so that layers may share one; a block asks for them by name at construction.
#pragma once

#include <memory>
#include <string>

#include "peerless/dist/communicator.h"
#include "peerless/model/ffw/cost.h"
#include "peerless/model/stats.h"
#include "peerless/ops/row_table.h"
#include "peerless/params/module.h"

namespace peerless {

// Hands out the tables of a model by name; two blocks that name the same one share it.
class Tables {
 public:
  virtual ~Tables() = default;
  // The table of that name, made at the first call; a later call must ask for the same shape and start.
  virtual std::shared_ptr<RowTable> get(const TableUse& use, const Init& init) = 0;
};

// The processes that hold a mixture's experts together, each as many whole ones; and those that hold tables together,
// each some columns. Null: this process holds all.
struct ShardGroups {
  Communicator* experts = nullptr;
  Communicator* tables = nullptr;
};

// What a block is built from, beside its own config.
struct Build {
  std::int64_t d_model;
  std::int64_t n_layers;
  std::int64_t layer;         // this block's layer, from 0
  at::TensorOptions options;  // dtype and device of parameters
  Tables* tables;
  ShardGroups groups = {};
};

struct FfwInput {
  at::Tensor x;          // [B, T, d_model], normalised
  at::Tensor token_ids;  // [B, T] int64
  // [B, T] bool: tokens that statistics count (padding is not). Undefined: all of them, and the use of table rows,
  // which costs a pass over the table, is not counted at all.
  at::Tensor counted;
};

struct FfwOutput {
  at::Tensor y;         // [B, T, d_model], to be added to the residual stream
  at::Tensor aux_loss;  // scalar, a mean over the micro-batch; undefined when the block has none
  Stats stats;
};

class Ffw : public Module {
 public:
  using Module::Module;
  virtual FfwOutput forward(const FfwInput& input) const = 0;

  // Applies the statistics of one step, summed over its micro-batches.
  virtual void commit(const Stats& /*stats*/) {}
  // What sums of statistics mean, for logs: load, usage, unevenness.
  virtual Figures figures(const Stats& /*stats*/) const { return {}; }
};

}  // namespace peerless
