// The gradient of a training step, one micro-batch after the other.
//
//   objective = sum over the step's unmasked tokens of their loss / their number
//             + sum over its micro-batches of their auxiliary losses / their number
//
// Both numbers are those of the global batch and known before the first backward. So one batch of unequal masks gives
// the same gradient in 1, 2 or 4 micro-batches (except through what sees a micro-batch as a whole: the batch norm of
// queries, and a mixture's balance loss).
#pragma once

#include <optional>

#include "peerless/model/batch_tensors.h"
#include "peerless/model/language_model.h"
#include "peerless/model/stats_sum.h"

namespace peerless {

struct StepMeans {
  double loss = 0;  // cross-entropy alone, per unmasked token
  double z_loss = 0;
  std::optional<double> aux_loss = std::nullopt;  // none: no block has one
  Stats stats = {};                               // sums, for Transformer::commit
  bool complete = true;                           // no batch of any process stands in for another
};

class StepGradient {
 public:
  // For a step of `targets` unmasked tokens in `micro_batches` micro-batches.
  StepGradient(LanguageModel& model, std::int64_t targets, std::int64_t micro_batches,
               SumOrder order = SumOrder::sequence);

  // Forward and backward of one micro-batch: adds its share to the gradients of the model's parameters.
  void add(const BatchTensors& batch, bool stands_in = false);

  // What was measured on the way, once all its micro-batches of all processes are in: waits for a device.
  StepMeans means(Communicator& communicator = alone());

 private:
  LanguageModel& model_;
  double targets_, micro_batches_;
  StatsSum sums_;  // of the losses, and the blocks' statistics; on the model's device
};

}  // namespace peerless
