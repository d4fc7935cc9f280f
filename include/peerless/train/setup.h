// What training, evaluation and generation set up alike, from a run's config.
#pragma once

#include <c10/util/Exception.h>

#include <memory>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/data/eval_set.h"
#include "peerless/model/language_model.h"
#include "peerless/train/run_config.h"

namespace peerless {

at::Device choose_device(Device device);  // Error(config) when a GPU is asked for and there is none
at::ScalarType compute_dtype(Precision precision);
// Threads (0: all cores), and memory that is freed is kept for the next step.
void prepare_process(std::int64_t threads);

// Its message without the frames of the stack. ExitCode::config where memory is short, else internal.
Error to_error(const c10::Error& error);

// Built on the device, its parameters not initialised.
std::shared_ptr<LanguageModel> build_model(const RunConfig& config, const Tokenizer& tokenizer, at::Device device);

std::vector<EvalSet> open_eval_sets(const RunConfig& config, const Tokenizer& tokenizer);  // of data.val

}  // namespace peerless
