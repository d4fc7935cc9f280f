// The training loop: step after step, logged, evaluated and saved as the config says.
//
// A step whose loss or gradient is not finite changes nothing but the counters; too many in a row end the run.
#pragma once

#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/data/loader.h"
#include "peerless/eval/evaluate.h"
#include "peerless/optim/schedule.h"
#include "peerless/train/counters.h"
#include "peerless/train/metrics_log.h"
#include "peerless/train/progress.h"
#include "peerless/train/run_config.h"
#include "peerless/train/run_folder.h"
#include "peerless/train/status.h"
#include "peerless/train/training_step.h"

namespace peerless {

class Trainer {
 public:
  // Opens tokenizer and data, builds and initialises the model. What is passed by reference outlives the trainer.
  Trainer(const RunConfig& config, const RunFolder& folder, Status& status, Communicator& communicator, Files& files);

  // What a checkpoint of this run holds: views to save, or to load into and then restore from.
  State state();
  void restore(const State& state);
  // The weights and running statistics alone.
  State model_state() const;
  void restore_model(const State& state);
  CheckpointInfo checkpoint_info() const;

  // Trains from where the counters stand to max_steps or stop_at (ok), or until asked to stop (preempted); either way a
  // checkpoint is durable at the end. Error(diverged) after too many skipped steps in a row.
  ExitCode run();

  const TrainingData& data() const { return data_; }

 private:
  void begin();
  StepReport train_step();
  void give_up_if_diverged() const;
  void record(const StepReport& report);
  void validate();
  void save();

  Json position() const;
  BatchShare share() const;
  bool due(const Duration& every) const;
  std::int64_t last_step() const;

  RunConfig config_;
  const RunFolder& folder_;
  Status& status_;
  Communicator& communicator_;
  Files& files_;
  at::Device device_;
  std::unique_ptr<Tokenizer> tokenizer_;
  TrainingData data_;
  std::vector<EvalSet> eval_sets_;
  std::shared_ptr<LanguageModel> model_;
  TrainingStep step_;
  Schedule schedule_;
  CheckpointFolder checkpoints_;
  Counters counters_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<MetricsLog> metrics_;
  std::unique_ptr<Progress> progress_;
};

}  // namespace peerless
