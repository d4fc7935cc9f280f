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

namespace peerless {

class StepGradient {
 public:
  // For a step of `targets` unmasked tokens in `micro_batches` micro-batches.
  StepGradient(LanguageModel& model, std::int64_t targets, std::int64_t micro_batches);

  // Forward and backward of one micro-batch: adds its share to the gradients of the model's parameters.
  void add(const BatchTensors& batch);

  // The means over the step, once all its micro-batches are in.
  double loss() const { return loss_.item<double>() / targets_; }  // cross-entropy alone
  double z_loss() const { return z_loss_.item<double>() / targets_; }
  std::optional<double> aux_loss() const;  // none: no block has one
  const Stats& stats() const { return stats_; }

 private:
  LanguageModel& model_;
  double targets_, micro_batches_;
  // Sums, on the model's device: nothing waits for them before they are read. aux_loss_ is undefined without any.
  at::Tensor loss_, z_loss_, aux_loss_;
  Stats stats_;
};

}  // namespace peerless
