#include "peerless/train/trainer.h"

#include "peerless/base/log.h"
#include "peerless/base/version.h"
#include "peerless/cluster/fatal.h"
#include "peerless/cluster/link.h"
#include "peerless/config/config.h"
#include "peerless/dist/collectives.h"
#include "peerless/train/machine.h"
#include "peerless/train/replica_check.h"
#include "peerless/train/setup.h"
#include "peerless/train/step_record.h"

namespace peerless {

Trainer::Trainer(const RunConfig& config, const RunFolder& folder, Status& status, const Launch& launch,
                 Communicator& communicator, Peers& peers, const StopRequest& stop, Files& files)
    : config_(config),
      folder_(folder),
      status_(status),
      communicator_(communicator),
      peers_(peers),
      stop_(stop),
      files_(files),
      device_(choose_device(config.device, launch)),
      tokenizer_(open_tokenizer(config.tokenizer)),
      data_(std::make_shared<TrainingData>(config.data, info_of(*tokenizer_), config.seed,
                                           config.train.global_batch_size, files)),
      // Exchanges inside forward and backward go beside those of gradients.
      expert_group_(channel_of_group(communicator, config.parallel.expert)),
      table_group_(channel_of_group(communicator, config.parallel.table)),
      model_(build_model(config, *tokenizer_, device_, {expert_group_.get(), table_group_.get()})),
      step_(*model_, config.optim, communicator, division_of(config, communicator.world_size())),
      schedule_(config.schedule, config.train.max_steps, config.tokens_per_step()),
      mode_(config.checkpoint.mode),
      processes_here_(launch.local_size),
      saver_(files, folder.checkpoints(), peers,
             {.keep_last = config.checkpoint.keep_last,
              .patience = config.checkpoint.max_failed_saves,
              .may_commit = [&folder] { folder.check_held(); },
              .on_durable = [this](std::int64_t step, Saver::Seconds taken) { durable(step, taken); },
              .keep = [this] { return saved_counters_.probation.kept(); },
              .last_save = folder.journal() ? folder.journal()->last_save() : Saver::Seconds(0)}) {
  eval_sets_ = open_eval_sets(config, *tokenizer_, files);
  step_.parameters().initialize(static_cast<std::uint64_t>(config.seed));
}

ExitCode Trainer::run() {
  try {
    return train();
  } catch (const SharedError&) {
    saver_.drain();  // all end together, so a save that is under way can end well
    throw;
  }
}

ExitCode Trainer::train() {
  begin();
  check_divergence();  // a run that ended so does so again
  bool stopping = agree_to_stop();
  while (!finished() && !stopping) {
    progress_->begin_step(loader_->wait_seconds());
    const StepReport report = train_step();
    progress_->end_step(counters_.step + 1, report, loader_->wait_seconds());

    now_at("asking who wants to stop", 1);
    stopping = agree_to_stop();
    if (!report.complete) break;  // none was done: data did not come before somebody was asked to stop
    count_step(report);
    const bool went_well = watch(report);
    const bool ending = stopping || finished();
    const bool saving = due(config_.checkpoint.every_steps) && !ending;  // which compares replicas too
    if (due(config_.parallel.check_every_steps) && !saving && !ending) compare_replicas();
    if (due(config_.log.every_steps) || ending || !went_well) record(report);
    if (saving) progress_->time_save([this] { save(/*ending=*/false); });
    if (finished() && !stopping) save(/*ending=*/true);  // before an evaluation that may take long
    if (evaluation_is_due()) owes_evaluation_ = stopping || !validate();
    stopping = stopping || owes_evaluation_;
    check_divergence();
  }
  const bool durable = end_durably(stopping);
  end(durable);
  return is_done() && durable ? ExitCode::ok : ExitCode::preempted;
}

StepReport Trainer::train_step() {
  targets_ = data_->unmasked_in_step(static_cast<std::uint64_t>(counters_.samples));
  const StepPlan plan{.micro_batches_here = share().micro_batches(),
                      .micro_batches = config_.train.global_batch_size / config_.train.micro_batch_size,
                      .targets = targets_,
                      .lr = shared_settings(config_.optim).lr * schedule_.factor(counters_.step)};
  const auto next_batch = [this] {
    now_at("waiting for data", 1);
    Batch batch = loader_->next([this] { return stop_.received(); });
    if (samples_) samples_->add(counters_.step + 1, batch, *data_);
    now_at("forward, backward and update", 1);
    return batch;
  };
  return step_.run(plan, next_batch);
}

void Trainer::count_step(const StepReport& report) {
  if (samples_) samples_->write();
  counters_.count_step(config_.train.global_batch_size, targets_, report.skipped);
}

void Trainer::now_at(const char* what, std::int64_t ahead) const {
  communicator_.set_activity(concat("step ", counters_.step + ahead, ": ", what));
  fatal_place().step = counters_.step;
}

// Whether any process has been asked to stop. If one saver has failed, all have or will; wait() then throws the reason
// everywhere.
bool Trainer::agree_to_stop() {
  constexpr std::int64_t kStop = 1, kFailed = 2, kLost = 4;
  std::int64_t all = 0;
  for (const auto one : gather(communicator_, (stop_.received() ? kStop : 0) | (saver_.failed() ? kFailed : 0) |
                                                  (folder_.lost() ? kLost : 0)))
    all |= one;
  if ((all & kFailed) != 0) saver_.wait();
  if ((all & kLost) != 0) together(communicator_, [this] { folder_.check_held(); });
  if ((all & kStop) == 0) return false;
  tell_of_stop();
  return true;
}

void Trainer::tell_of_stop() const {
  progress_->clear_line();
  log::info(stop_.text());
}

// Tells of a spike, and of a checkpoint that has become good.
bool Trainer::watch(const StepReport& report) {
  const double threshold = config_.train.spike_threshold;
  const bool spike = counters_.spikes.add(report.loss, threshold);
  const bool went_well = !spike && !report.skipped;
  const bool proved = counters_.probation.step_done(counters_.step, went_well, config_.checkpoint.good_after);
  if (leads() && spike && counters_.spikes.in_a_row() == 1) {
    progress_->clear_line();
    log::warning("step ", counters_.step, ": loss ", report.loss, " is a spike (train.spike_threshold)");
  }
  if (proved) {
    progress_->clear_line();
    log::info("checkpoint of step ", counters_.probation.good(), " is good: ", config_.checkpoint.good_after,
              " steps went well since");
  }
  return went_well;
}

// ---- the run's edges: what is logged, measured and saved ------------------------------------------------------------

void Trainer::begin() {
  now_at("measuring and opening files");
  const PeakRate peak = config_.log.peak_tflops ? PeakRate{*config_.log.peak_tflops * 1e12, "log.peak_tflops"}
                                                : measure_peak(device_, compute_dtype(config_.train.precision));
  const Cost cost = config_.model.cost(config_.data.seq_len, config_.model.vocab_of(tokenizer_->vocab_size()));
  describe(config_, cost, *data_, communicator_.world_size());
  log::info("device: ", device_.str(), ", ", at::get_num_threads(), " threads; peak ",
            human(peak.flops_per_second, "FLOP/s"), communicator_.world_size() > 1 ? " a process" : "", " (",
            peak.source, "), which MFU is a share of");
  progress_ = std::make_unique<Progress>(
      ProgressOptions{.last_step = config_.last_step(),
                      .tokens_per_step = config_.tokens_per_step(),
                      .flops_per_token = 3 * cost.flops,
                      .peak_flops_per_second = peak.flops_per_second * static_cast<double>(communicator_.world_size()),
                      .device = device_,
                      .silent = !leads()});
  open_logs();
  status_.running(counters_.step);
  const bool evaluated = any(communicator_, leads() && metrics_->evaluated());
  if (counters_.step > 0 && evaluation_is_due() && !evaluated) owes_evaluation_ = !validate();
}

// Opens the logs, and the loader, for the steps that follow from where the counters stand.
void Trainer::open_logs() {
  metrics_.reset();
  samples_.reset();
  loader_.reset();
  together(communicator_, [this] {
    if (leads()) metrics_ = std::make_unique<MetricsLog>(files_, folder_.path(), counters_.step);
    if (leads() && config_.log.samples) start_sample_logs(files_, folder_.samples(), counters_.step);
  });
  if (config_.log.samples)
    samples_ = std::make_unique<SampleLog>(files_, folder_.samples(), communicator_.rank(), counters_.step);
  durable_ = loaded_ = saved_ = counters_.step;
  loader_ = std::make_unique<Loader>(data_, share(), static_cast<std::uint64_t>(counters_.samples));
}

void Trainer::end(bool durable) const {
  const auto place = concat("step ", counters_.step, " of ", config_.train.max_steps, ", ", folder_.path());
  if (!is_done() || !durable)
    log::info("stopped: ", place, "; the same command, with --resume auto (the default), goes on from ",
              durable ? "here" : concat("step ", durable_.load()));
  else if (counters_.step >= config_.train.max_steps)
    log::info("done: ", place);
  else
    log::info("paused: ", place, "; it goes on without train.stop_at, or with a later one");
}

void Trainer::record(const StepReport& report) {
  if (!leads()) return;
  const Performance performance = progress_->take();
  const Figures routing = step_.figures();
  progress_->print(counters_.step, report, performance, routing);
  status_.running(counters_.step);
  // What was printed only because the run pauses here is not recorded: a run that does not pause has no such record.
  if (!due(config_.log.every_steps) && !report.skipped && counters_.step < config_.train.max_steps) return;
  metrics_->write(record_of(counters_, report, routing, performance));
}

// False where somebody is asked to stop meanwhile: it is made up for when the run goes on.
bool Trainer::validate() {
  now_at("evaluation");
  Json results;
  for (const auto& set : eval_sets_) {
    const auto report = evaluate_unless([this] { return stop_.received(); }, *model_, set, communicator_);
    if (!report) {
      tell_of_stop();
      return false;
    }
    if (!leads()) continue;
    progress_->clear_line();
    log::info("eval ", set.name(), " at step ", counters_.step, ": ", report->text());
    results[set.name()] = report->json();
  }
  if (results.empty()) return true;
  Json record = position_of(counters_);
  record["eval"] = results;
  metrics_->write(record);
  metrics_->sync();
  return true;
}

void Trainer::save(bool ending) {
  now_at("saving");
  compare_replicas();  // no difference that is seen becomes durable
  if (leads()) metrics_->sync();
  now_at("waiting for the save before");
  saver_.wait();
  const auto part = part_to_save(tensors_of(Part::all), communicator_);
  if (due(config_.checkpoint.every_steps)) counters_.probation.saved(counters_.step);  // as in a run that never stops
  saved_counters_ = counters_;
  State mine = leads() ? saved_counters_.state() : State();
  bool beside_training = mode_ == SaveMode::async && !ending;
  if (beside_training && any(communicator_, !staging_.can_hold(part, processes_here_))) {
    mode_ = SaveMode::sync;  // no more is asked for
    beside_training = false;
  }
  mine.add(beside_training ? staging_.copy(part) : to_state(part));
  saver_.begin(std::move(mine), checkpoint_info());
  saved_ = counters_.step;
  if (beside_training) return;
  now_at("saving");
  if (ending)
    saver_.finish();
  else
    saver_.wait();
}

// Makes durable what was done. False: there is no time for that, and the steps since the newest checkpoint are lost.
bool Trainer::end_durably(bool stopping) {
  now_at("saving");
  const bool nothing_new = loaded_ == counters_.step;
  if (!nothing_new && saved_ == counters_.step && saver_.wait()) return true;
  if (!nothing_new && (!stopping || has_time_to_save())) {
    save(/*ending=*/true);
    return true;
  }
  saver_.drain();
  return nothing_new;
}

// Whether a save is likely to fit into what is left until the process is killed; rank 0 decides.
bool Trainer::has_time_to_save() {
  const double grace = static_cast<double>(config_.train.grace_seconds);
  if (grace == 0) return true;
  double age = 0;  // of the first request of all
  for (const auto ms : gather(communicator_, static_cast<std::int64_t>(1e3 * stop_.age().count())))
    age = std::max(age, 1e-3 * static_cast<double>(ms));
  const double needed = saver_.last_save().count() * (saver_.busy() ? 2 : 1);
  const double left = grace - age;
  const bool fits = gather(communicator_, std::int64_t{needed <= left}).front() != 0;
  const auto text = [](double seconds) {
    return cluster::in_seconds(std::chrono::duration_cast<cluster::Clock::duration>(Saver::Seconds(seconds)));
  };
  if (!fits && leads())
    log::warning("no save: ", text(std::max(0.0, left)), " are left of train.grace_seconds, and the last save took ",
                 text(saver_.last_save().count()), "; ", counters_.step - durable_, " steps to redo");
  return fits;
}

// On rank 0, from the saver's thread.
void Trainer::durable(std::int64_t step, Saver::Seconds taken) {
  folder_.journal()->durable(step, std::chrono::duration_cast<std::chrono::milliseconds>(taken));
  durable_ = step;
  progress_->clear_line();
  log::info("checkpoint of step ", step, " is durable");
  status_.durable(step);
}

void Trainer::compare_replicas() const { check_replicas(communicator_, tensors_of(Part::all), counters_.step); }

NamedTensors Trainer::tensors_of(Part part) const {
  return part == Part::all ? step_.named_tensors() : step_.parameters().named_tensors();
}

State Trainer::state(Part part) {
  State state = part == Part::all ? counters_.state() : State();
  state.add(to_state(tensors_of(part)));
  return state;
}

void Trainer::load(const Checkpoint& checkpoint, Part part) {
  const State state = this->state(part);
  part == Part::all ? checkpoint.load(state) : checkpoint.load_some(state);
  restore(state, tensors_of(part));
}

void Trainer::branch_from(const Checkpoint& checkpoint) {
  load(checkpoint, Part::all);
  counters_.skipped_in_a_row = 0;
  counters_.spikes.end_row();
  counters_.probation = {};
}

void Trainer::go_on_from(const Checkpoint& checkpoint) {
  now_at("loading a checkpoint");
  std::int64_t samples = 0;
  together(communicator_, [&] {
    load(checkpoint, Part::all);
    samples = counters_.samples;
    if (!leads()) return;
    CheckpointFolder(files_, folder_.checkpoints()).set_aside_after(counters_.step);
    samples = folder_.journal()->go_on_from(counters_.step, counters_.samples);
  });
  samples = gather(communicator_, samples).front();
  if (samples == counters_.samples) return;
  counters_.samples = samples;
  counters_.probation.back_to(counters_.step);
}

CheckpointInfo Trainer::checkpoint_info() const {
  CheckpointInfo info{.step = counters_.step,
                      .run = folder_.id(),
                      .program = program_version(),
                      .config = config::dump(config_),
                      .tokenizer = tokenizer_->digest(),
                      .data = data_->fingerprint()};
  info.data_sources = data_->description();
  return info;
}

std::vector<std::pair<std::string, Digest>> Trainer::data() const {
  std::vector<std::pair<std::string, Digest>> all{{"data.train", data_->fingerprint()}};
  for (const auto& set : eval_sets_) all.emplace_back(concat("data.val[", all.size() - 1, "]"), set.digest());
  return all;
}

BatchShare Trainer::share() const {
  return {config_.train.global_batch_size, config_.train.micro_batch_size, communicator_.rank(),
          communicator_.world_size()};
}

bool Trainer::due(const Duration& every) const {
  const std::int64_t steps = every.steps(config_.train.max_steps, config_.tokens_per_step());
  return steps > 0 && counters_.step % steps == 0;
}

bool Trainer::evaluation_is_due() const {
  if (eval_sets_.empty()) return false;
  const bool never = config_.eval.every_steps.steps(config_.train.max_steps, config_.tokens_per_step()) == 0;
  return due(config_.eval.every_steps) || (counters_.step == config_.train.max_steps && !never);
}

}  // namespace peerless
