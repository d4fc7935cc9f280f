// The training loop: step after step, logged, evaluated and saved as the config says.
//
// A step whose loss or gradient is not finite changes nothing but the counters. Too many in a row are a divergence, as
// are too many spikes of the loss (spike_detector.h), where the run may go back: then it loads its newest good
// checkpoint (probation.h) and goes on from there with the samples after those that it had come to.
#pragma once

#include <atomic>
#include <memory>
#include <vector>

#include "peerless/checkpoint/saver.h"
#include "peerless/cluster/launch.h"
#include "peerless/data/loader.h"
#include "peerless/eval/evaluate.h"
#include "peerless/optim/schedule.h"
#include "peerless/train/counters.h"
#include "peerless/train/metrics_log.h"
#include "peerless/train/progress.h"
#include "peerless/train/run_config.h"
#include "peerless/train/run_folder.h"
#include "peerless/train/sample_log.h"
#include "peerless/train/staging.h"
#include "peerless/train/status.h"
#include "peerless/train/stop_request.h"
#include "peerless/train/training_step.h"

namespace peerless {

class Trainer {
 public:
  // Opens tokenizer and data, builds and initialises the model. What is passed by reference outlives the trainer.
  Trainer(const RunConfig& config, const RunFolder& folder, Status& status, const Launch& launch,
          Communicator& communicator, Peers& peers, const StopRequest& stop, Files& files);

  // Everything that the next step depends on, or of it the weights and running statistics alone.
  enum class Part { all, model };
  void load(const Checkpoint& checkpoint, Part part);
  // Goes on from another run's checkpoint. That run's count of bad steps and its good checkpoints do not carry over.
  void branch_from(const Checkpoint& checkpoint);
  // Goes on from a checkpoint of this run, as all processes do at once: with the samples that follow it, or the
  // rollback to it. Those of later steps are set aside.
  void go_on_from(const Checkpoint& checkpoint);
  NamedTensors tensors_of(Part part) const;
  CheckpointInfo checkpoint_info() const;
  std::vector<std::pair<std::string, Digest>> data() const;  // by the key that names it

  // Trains from where the counters stand to max_steps or stop_at (ok), or until one process is asked to stop
  // (preempted); either way a checkpoint of what was done is durable at the end, unless there was no time for it
  // (train.grace_seconds). Error(diverged) where it diverges and may not go back.
  ExitCode run();

 private:
  ExitCode train();
  void now_at(const char* what, std::int64_t ahead = 0) const;  // for the others; `ahead` of the counters
  void begin();
  void open_logs();
  void end(bool durable) const;
  bool agree_to_stop();
  void tell_of_stop() const;
  StepReport train_step();
  void count_step(const StepReport& report);
  bool watch(const StepReport& report);
  std::string divergence() const;
  void check_divergence();
  void roll_back(const std::string& why);
  void record(const StepReport& report);
  bool validate();
  void save(bool ending);
  bool end_durably(bool stopping);
  bool has_time_to_save();
  void durable(std::int64_t step, Saver::Seconds taken);
  void compare_replicas() const;

  State state(Part part);  // views
  BatchShare share() const;
  bool leads() const { return communicator_.rank() == 0; }  // and so is the one that writes and tells
  bool due(const Duration& every) const;                    // at this step
  bool evaluation_is_due() const;
  bool finished() const { return counters_.step >= config_.last_step(); }
  bool is_done() const { return finished() && !owes_evaluation_; }

  RunConfig config_;
  const RunFolder& folder_;
  Status& status_;
  Communicator& communicator_;
  Peers& peers_;  // the saver's, while a save is under way
  const StopRequest& stop_;
  Files& files_;
  at::Device device_;
  std::unique_ptr<Tokenizer> tokenizer_;
  std::shared_ptr<const TrainingData> data_;
  std::vector<EvalSet> eval_sets_;
  std::unique_ptr<Communicator> expert_group_, table_group_;  // null where each process holds all
  std::shared_ptr<LanguageModel> model_;
  TrainingStep step_;
  Schedule schedule_;
  Counters counters_;
  std::unique_ptr<Loader> loader_;
  std::unique_ptr<MetricsLog> metrics_;  // of the process that leads
  std::unique_ptr<SampleLog> samples_;   // where asked for
  std::unique_ptr<Progress> progress_;

  SaveMode mode_;
  std::int64_t processes_here_;
  Staging staging_;
  std::int64_t targets_ = 0;      // of the step under way
  bool owes_evaluation_ = false;  // a stop left it out; the run makes up for it when it goes on
  std::int64_t loaded_ = 0;       // the step that this process began with, or went back to
  std::int64_t saved_ = 0;        // the newest step of which a save was begun
  std::atomic<std::int64_t> durable_ = 0;
  Counters saved_counters_;
  Saver saver_;  // the last: what it saves and tells must still be there when it ends
};

}  // namespace peerless
