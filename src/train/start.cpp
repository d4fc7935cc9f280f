#include "peerless/train/start.h"

#include <unistd.h>

#include <algorithm>
#include <array>
#include <atomic>
#include <memory>
#include <thread>

#include "peerless/base/host.h"
#include "peerless/base/log.h"
#include "peerless/base/version.h"
#include "peerless/cluster/fatal.h"
#include "peerless/cluster/link.h"
#include "peerless/cluster/secret.h"
#include "peerless/config/config.h"
#include "peerless/dist/collectives.h"
#include "peerless/dist/rendezvous.h"
#include "peerless/params/library_error.h"
#include "peerless/train/agreement.h"
#include "peerless/train/finite.h"
#include "peerless/train/machine.h"
#include "peerless/train/setup.h"
#include "peerless/train/trainer.h"

namespace peerless {
namespace {

// Where a run's first state comes from.
enum class Origin {
  nothing,  // initialised
  itself,   // a checkpoint of its own
  branch,   // another run's weights, moments and data position
  weights,  // another run's weights
};

// Whether a difference says that the run would be trained on other data than the checkpoint's.
bool changes_data(const config::Difference& difference) {
  return difference.resume == Resume::must_match && config::covers("data.train", difference.path);
}

void check_data(const std::vector<config::Difference>& differences) {
  std::string lines;
  for (const auto& d : differences)
    if (changes_data(d)) lines += concat("\n  ", d.path, ": is ", d.before, " in the checkpoint, got ", d.after);
  if (!lines.empty())
    throw Error(ExitCode::config, "data.train: is not what the checkpoint was trained on:", lines,
                "\n--allow-data-change goes on all the same");
}

// Compares the config that a checkpoint was saved with to the one given; refuses what the options do not allow.
void check_config(const CheckpointInfo& before, const RunConfig& config, const StartOptions& options, Origin origin) {
  std::vector<std::string> may_change;
  for (const auto& key : options.override_keys) may_change.push_back(config::plain_key<RunConfig>(key));
  auto differences = config::compare(config::parse<RunConfig>(before.config, "config of the checkpoint"), config);
  if (origin == Origin::weights)
    std::erase_if(differences, [](const auto& d) { return !config::covers("model", d.path); });
  for (const auto& d : differences)
    log::info("changed since the checkpoint: ", d.path, ": ", d.before, " -> ", d.after);
  std::erase_if(differences, [&](const auto& d) {
    if (options.allow_data_change && changes_data(d)) return true;
    return origin == Origin::branch && d.resume == Resume::with_override;  // it has a schedule of its own
  });
  check_data(differences);
  config::check_resume(differences, may_change);
}

void check_length(const CheckpointInfo& before, const RunConfig& config) {
  if (before.step >= config.last_step())
    throw Error(ExitCode::config, "the checkpoint to start from has done ", before.step,
                " steps, and this run ends at ", config.last_step(),
                ": nothing is left to train; name more train.max_steps, or --weights-only");
}

// The sources that only one of two lists has, a line each.
std::string changed_sources(const std::vector<std::string>& before, const std::vector<std::string>& now) {
  std::string lines;
  const auto add = [&](const char* when, const auto& some, const auto& others) {
    for (const auto& source : some)
      if (std::find(others.begin(), others.end(), source) == others.end()) lines += concat("\n  ", when, source);
  };
  add("then  ", before, now);
  add("now   ", now, before);
  return lines;
}

void check_content(const CheckpointInfo& before, const CheckpointInfo& now, const StartOptions& options,
                   Origin origin) {
  if (before.tokenizer != now.tokenizer)
    throw Error(ExitCode::config, "tokenizer: has digest ", now.tokenizer.hex(), ", the checkpoint was trained with ",
                before.tokenizer.hex(), "; token ids would mean other texts");
  if (origin == Origin::weights || before.data == now.data) return;
  if (!options.allow_data_change)
    throw Error(ExitCode::config,
                "data.train: is not what the checkpoint was trained on; the order of samples would be another",
                changed_sources(before.data_sources, now.data_sources), "\n--allow-data-change goes on all the same");
  log::warning("data.train has changed since the checkpoint: samples may come twice or never");
}

// What a run starts from.
struct Start {
  Origin origin = Origin::nothing;
  std::optional<Checkpoint> checkpoint;
};

Checkpoint own_checkpoint(const RunFolder& folder, const std::filesystem::path& path, Files& files) {
  Checkpoint checkpoint = find_checkpoint(files, path);
  if (checkpoint.info().run != folder.id())
    throw Error(ExitCode::config, checkpoint.path(), ": is a checkpoint of another run than ", folder.path(),
                "; --from begins a run with it");
  return checkpoint;
}

Start find_start(const RunFolder& folder, const StartOptions& options, std::int64_t processes, Files& files) {
  CheckpointFolder checkpoints(files, folder.checkpoints());
  checkpoints.settle();
  std::optional<Checkpoint> own;
  if (options.resume == "auto")
    own = checkpoints.newest_intact();
  else if (options.resume != "never")
    own = own_checkpoint(folder, options.resume, files);
  if (own) {
    if (options.from) log::info("--from has no effect any more: this run has begun");
    const auto parts = static_cast<std::int64_t>(own->manifest().files.size());
    log::info(folder.path(), ": resuming from ", own->path(), ", step ", own->info().step,
              parts == processes ? "" : concat(", saved in ", parts, " parts; processes now: ", processes));
    return {Origin::itself, std::move(own)};
  }
  if (!options.from) {
    log::info(folder.path(), ": starting anew");
    return {};
  }
  Checkpoint other = find_checkpoint(files, *options.from);
  log::info(folder.path(), ": starting from ", options.weights_only ? "the weights of " : "", other.path(), ", step ",
            other.info().step);
  return {options.weights_only ? Origin::weights : Origin::branch, std::move(other)};
}

RunMode mode_of(const StartOptions& options) {
  if (options.resume == "auto") return RunMode::begin_or_go_on;
  return options.resume == "never" ? RunMode::begin : RunMode::go_on;
}

// Rank 0 opens and locks the folder, which may take longer than an exchange may: so it is the peers that wait.
RunFolder open_folder(Peers& peers, const RunConfig& config, const StartOptions& options, const StopRequest& stop,
                      Files& files) {
  const auto path = std::filesystem::path(config.run.dir) / config.run.name;
  std::optional<RunFolder> folder;
  together(peers, [&] {
    if (peers.rank() == 0) folder = RunFolder::open(files, path, mode_of(options), [&stop] { return stop.received(); });
  });
  const auto id = peers.announce(folder ? folder->id() : "");
  together(peers, [&] {
    if (!folder) folder = RunFolder::opened_by_another(files, path, id);
  });
  return std::move(*folder);
}

// The same: rank 0 reads all of a checkpoint.
Start find_start(Peers& peers, const RunFolder& folder, const StartOptions& options, Files& files) {
  Start start;
  together(peers, [&] {
    if (peers.rank() == 0) start = find_start(folder, options, peers.world_size(), files);
  });
  const auto origin = peers.announce(std::to_string(static_cast<int>(start.origin)));
  const auto path = peers.announce(start.checkpoint ? start.checkpoint->path().string() : "");
  together(peers, [&] {
    if (peers.rank() == 0 || path.empty()) return;
    start = {static_cast<Origin>(std::stoi(origin)), Checkpoint::open(files, path)};
  });
  return start;
}

// Processes of this host that may use the same cores.
std::int64_t sharers_of_cores(Communicator& communicator) {
  const auto here = concat(host_name(), " ", cores());
  const auto all = gather(communicator, here);
  return std::count(all.begin(), all.end(), here);
}

// A run can go back from its own NaNs; what it takes over from another run must be finite.
void begin_from(Trainer& trainer, const Start& start, const StartOptions& options) {
  if (start.origin != Origin::branch && start.origin != Origin::weights) return;
  const bool branch = start.origin == Origin::branch;
  branch ? trainer.branch_from(*start.checkpoint) : trainer.load(*start.checkpoint, Trainer::Part::model);
  const auto part = branch ? Trainer::Part::all : Trainer::Part::model;
  if (!options.allow_nonfinite) check_finite(trainer.tensors_of(part), start.checkpoint->path());
}

bool asked_to_stop(Communicator& communicator, const StopRequest& stop) {
  if (!any(communicator, stop.received())) return false;
  log::info(stop.text(), ": before the first step");
  return true;
}

// What must still be there when the others are told that this process fails: it ends with threads of its own, which may
// wait for them.
struct Training {
  std::unique_ptr<Peers> peers;
  std::optional<RunFolder> folder;
  std::optional<Trainer> trainer;
};

ExitCode train_in(Training& training, const RunConfig& config, const StartOptions& options, const Launch& launch,
                  Communicator& communicator, const StopRequest& stop, Status& status, Files& files) {
  const auto& folder = *training.folder;
  auto& trainer = training.trainer;
  together(communicator, [&] {
    if (auto* const journal = folder.journal()) journal->start(config.train.max_restarts + 1);
  });
  communicator.set_activity("looking for a checkpoint to start from");
  Start start = find_start(*training.peers, folder, options, files);
  if (start.origin == Origin::itself) status.durable(start.checkpoint->info().step);
  if (asked_to_stop(communicator, stop)) return ExitCode::preempted;
  communicator.set_activity("building the model");
  const auto& checkpoint = start.checkpoint;
  together(communicator, [&] {
    if (checkpoint) check_config(checkpoint->info(), config, options, start.origin);
    if (start.origin == Origin::branch) check_length(checkpoint->info(), config);
    check_division(config, communicator.world_size());
    trainer.emplace(config, folder, status, launch, communicator, *training.peers, stop, files);
  });
  check_same_data(communicator, trainer->data());
  if (asked_to_stop(communicator, stop)) return ExitCode::preempted;
  if (checkpoint) communicator.set_activity(concat("loading ", checkpoint->path().string()));
  together(communicator, [&] {
    if (checkpoint) check_content(checkpoint->info(), trainer->checkpoint_info(), options, start.origin);
    begin_from(*trainer, start, options);
    if (communicator.rank() == 0) write_atomically(files, folder.config(), config::dump(config));
  });
  if (start.origin == Origin::itself) trainer->go_on_from(*checkpoint);
  start.checkpoint.reset();  // closes its files, whose disk space retention may want
  return trainer->run();
}

// What each process did when one of them was lost, a line each.
std::vector<std::string> to_lines(const std::vector<cluster::RankActivity>& activities) {
  std::vector<std::string> lines;
  for (std::size_t r = 0; r < activities.size(); ++r) {
    const auto& [what, exchanges, unchanged, silent] = activities[r];
    lines.push_back(concat("  rank ", r, ": ", what.empty() ? "starting" : what, ", for ",
                           cluster::in_seconds(unchanged), "; ", exchanges, " exchanges begun; heard of ",
                           cluster::in_seconds(silent), " ago"));
  }
  return lines;
}

// Another process is lost: this one ends, whatever it does, for it cannot go on.
[[noreturn]] void end_for(const cluster::Loss& loss, const Launch& launch, Status& status) {
  std::thread([] {  // a disk or a pipe that hangs may not keep it
    std::this_thread::sleep_for(std::chrono::seconds(3));
    _exit(static_cast<int>(ExitCode::peer));
  })
      .detach();
  const std::string what = concat(loss.text(), "; this process was at ", loss.activity);
  log::write_to_file(log::Level::error, concat("PEER: ", what));
  if (launch.rank == 0)
    for (const auto& line : to_lines(loss.activities)) log::error(line);
  status.ended(ExitCode::peer);
  _exit(report_fatal(ExitCode::peer, what));
}

// Whether this end does not count as a failed start. What a scheduler restarts without anybody having mended anything
// (a fault, the disk, a lost peer, a divergence) counts, so that such restarts come to an end; a stop on request and a
// wrong config do not.
bool ends_in_order(ExitCode code) {
  constexpr std::array kFailures{ExitCode::internal, ExitCode::io, ExitCode::peer, ExitCode::diverged,
                                 ExitCode::no_progress};
  return std::ranges::find(kFailures, code) == kFailures.end();
}

void write_end(const Training& training, Status& status, ExitCode code) {
  status.ended(code);
  if (!training.folder || !training.folder->is_held()) return;  // what is there is another's
  auto* const journal = training.folder->journal();
  if (journal && ends_in_order(code)) journal->end();
}

// The lines and codes that a run which fails leaves behind; the others hear of it, unless all fail alike. One that
// fails alone ends here: a save under way would hold destructors up, and can come to nothing without the others.
void tell(const Error& error, World& world, const Training& training, Status& status) {
  const std::string what = concat(name(error.code()), ": ", error.what());
  const bool alone = !dynamic_cast<const SharedError*>(&error);
  try {
    alone ? world.fail(what) : world.leave();
  } catch (const std::exception&) {  // the device works no more, or a peer is gone; the first error is what matters
    world.fail(what);
  }
  log::write_to_file(log::Level::error, what);
  write_end(training, status, error.code());
  if (alone && world.communicator().world_size() > 1) _exit(report_fatal(error.code(), error.what()));
}

ExitCode train_with(World& world, Training& training, const RunConfig& config, const StartOptions& options,
                    const Launch& launch, const StopRequest& stop, Status& status, Files& files) {
  auto& communicator = world.communicator();
  communicator.set_activity("comparing settings");
  check_same_program(communicator, program_version());
  check_same_device(communicator, choose_device(config.device, launch).type());
  check_same_config(communicator, config);
  prepare_process(config.train.threads, sharers_of_cores(communicator));
  communicator.set_activity("opening the run's folder");
  training.peers = world.peers();
  training.folder = open_folder(*training.peers, config, options, stop, files);
  if (launch.rank == 0) {
    files.append(training.folder->log());  // made with our rights, not those of the umask
    log::open_file(training.folder->log());
    status.open(training.folder->status(), config.train.max_steps, training.folder->journal()->durable(),
                [&folder = *training.folder] { return folder.is_held(); });
  }
  const ExitCode code = train_in(training, config, options, launch, communicator, stop, status, files);
  world.leave();
  write_end(training, status, code);
  return code;
}

// When several are asked to stop while they meet, one may already be gone before another has heard the request. That
// does not count as a loss.
void meet(std::optional<World>& world, const RunConfig& config, const Launch& launch, const StopRequest& stop,
          Status& status) {
  const auto have_met = std::make_shared<std::atomic<bool>>(false);
  const auto stopped = [&stop] {
    return Error(ExitCode::preempted, stop.who(), " asks to stop while the processes meet");
  };
  const auto on_loss = [&, have_met, stopped](const cluster::Loss& loss) {
    if (!*have_met && stop.received()) _exit(report_fatal(ExitCode::preempted, stopped().what()));
    end_for(loss, launch, status);
  };
  try {
    world.emplace(launch, JoinOptions{.device = [&] { return choose_device(config.device, launch); },
                                      .timeout = std::chrono::seconds(config.parallel.timeout_seconds),
                                      .secret = find_secret(process_environment()),
                                      .on_loss = on_loss,
                                      .stopped = [&stop] { return stop.received(); }});
  } catch (const Error& error) {
    if (error.code() == ExitCode::peer && stop.received()) throw stopped();
    throw;
  }
  *have_met = true;
}

}  // namespace

ExitCode train(const RunConfig& config, const StartOptions& options, const Launch& launch, const StopRequest& stop,
               Files& files) {
  if (launch.rank > 0) log::only_warnings_of(concat("process ", launch.rank, ": "));
  Status status(files);
  fatal_place().rank = launch.rank;
  std::optional<World> joined;
  meet(joined, config, launch, stop, status);
  World& world = *joined;
  Training training;
  try {
    return train_with(world, training, config, options, launch, stop, status, files);
  } catch (const Error& error) {
    tell(error, world, training, status);
    throw;
  } catch (const std::exception& error) {
    const Error readable = to_error(error);
    tell(readable, world, training, status);
    throw readable;
  }
}

}  // namespace peerless
