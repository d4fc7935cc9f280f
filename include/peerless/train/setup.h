// What training, evaluation and generation set up alike, from a run's config.
#pragma once

#include <memory>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/cluster/launch.h"
#include "peerless/data/eval_set.h"
#include "peerless/data/loader.h"
#include "peerless/model/language_model.h"
#include "peerless/optim/step_update.h"
#include "peerless/train/run_config.h"

namespace peerless {

// Error(config) when a GPU is asked for and there is none, or not one for each process of a host.
// On a GPU only kernels are used that give the same bits each time.
at::Device choose_device(Device device, const Launch& launch = {});
// The one of a process that sees so many. One alone may be its own: launchers can show each process another.
std::int64_t gpu_of(const Launch& launch, std::int64_t gpus);
at::ScalarType compute_dtype(Precision precision);
// Threads (0: the cores that this process may use, divided among the `sharers` that may use the same), and memory that
// is freed is kept for the next step.
void prepare_process(std::int64_t threads, std::int64_t sharers = 1);

// Error(config) where a run's work or model cannot be divided among so many processes.
void check_division(const RunConfig& config, std::int64_t processes);
Division division_of(const RunConfig& config, std::int64_t processes);

// Built on the device, its parameters not initialised.
std::shared_ptr<LanguageModel> build_model(const RunConfig& config, const Tokenizer& tokenizer, at::Device device,
                                           const ShardGroups& groups = {});

// Tells people what is trained, and on what.
void describe(const RunConfig& config, const Cost& cost, const TrainingData& data, std::int64_t processes);

// Of data.val.
std::vector<EvalSet> open_eval_sets(const RunConfig& config, const Tokenizer& tokenizer, const Files& files);

}  // namespace peerless
