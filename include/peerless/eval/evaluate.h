// The loss of a model on a validation set, document by document. It knows no trainer.
//
//   loss = summed negative log-likelihood / targets      perplexity = exp(loss)
//   bits per byte = summed negative log-likelihood / (ln 2 * bytes of the documents' text)
#pragma once

#include <functional>
#include <nlohmann/json.hpp>
#include <optional>
#include <string>

#include "peerless/data/eval_set.h"
#include "peerless/dist/communicator.h"
#include "peerless/model/language_model.h"

namespace peerless {

struct EvalReport {
  std::int64_t documents = 0;
  std::int64_t targets = 0;
  std::int64_t raw_bytes = 0;
  double summed_loss = 0;  // nats
  Figures figures;         // of the blocks: "layers.2.usage", ...
  Stats stats;             // what those figures are made of, of counted tokens: "2.load", "2.weight", ...

  double loss() const;
  double perplexity() const;
  double bits_per_byte() const;

  std::string text() const;  // one line; of each figure the least and the greatest of all layers
  nlohmann::ordered_json json() const;
};

// Leaves the model as it was. Batches are dealt to the processes, which all get the whole report. Sums are fp64, by a
// binary tree over batches: equal models give equal bits on any number of processes that is a power of two.
EvalReport evaluate(LanguageModel& model, const EvalSet& set, Communicator& communicator = alone());

// The same, unless `stopped` is true on one of the processes: asked before each batch, with an exchange of all.
std::optional<EvalReport> evaluate_unless(const std::function<bool()>& stopped, LanguageModel& model,
                                          const EvalSet& set, Communicator& communicator = alone());

}  // namespace peerless
