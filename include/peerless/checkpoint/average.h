// The mean of the weights of several checkpoints of one model, as a checkpoint of its own. Of the last ones of a run,
// or of runs that branch from one, it often evaluates better than any of them: Izmailov et al. 2018, Averaging Weights
// Leads to Wider Optima and Better Generalization (arXiv:1803.05407).
//
// Averaged   the model's floating tensors (`model.*`: weights, running statistics), element by element: summed in fp64
//            in the order given, divided, rounded once to the tensor's dtype. An element of the same bits everywhere
//            keeps them
// The first  gives all else: whole numbers of the model, step, run, config, fingerprints of tokenizer and data
// Left out   moments and counters, which belong to one point of one training: the result is for `eval`, `generate` and
//            `train --from ... --weights-only`, and no training goes on from it
// Memory     some MiB
// Errors     those of Checkpoint and Save; Error(usage) of fewer than two; Error(config), which names the difference,
//            where the models (names, dtypes, shapes, config) or tokenizers are not the same; Error(output) unless the
//            folder is new or empty
#pragma once

#include <filesystem>
#include <vector>

#include "peerless/checkpoint/checkpoint.h"

namespace peerless {

// Writes `folder`/step-.../, in one file. Durable when it returns; the checkpoints that are read stay as they are.
void average(Files& files, const std::vector<Checkpoint>& checkpoints, const std::filesystem::path& folder);

}  // namespace peerless
