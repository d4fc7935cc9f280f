#include "peerless/train/start.h"

#include <algorithm>

#include "peerless/base/log.h"
#include "peerless/config/config.h"
#include "peerless/train/trained_model.h"
#include "peerless/train/trainer.h"

namespace peerless {
namespace {

bool begins_with(const config::Difference& difference, std::string_view section) {
  return difference.path == section || difference.path.starts_with(std::string(section) + ".");
}

// Compares the config that a checkpoint was saved with to the one given; refuses what the options do not allow.
void check_config(const CheckpointInfo& before, const RunConfig& config, const StartOptions& options, bool new_run) {
  auto differences = config::compare(config::parse<RunConfig>(before.config, "config of the checkpoint"), config);
  std::erase_if(differences, [&](const auto& d) {
    if (options.weights_only) return !begins_with(d, "model");
    if (options.allow_data_change && begins_with(d, "data.train")) return true;
    return new_run && d.resume == Resume::with_override;  // a branch has a schedule of its own
  });
  config::check_resume(differences, options.override_keys);
  for (const auto& d : differences)
    log::info("changed since the checkpoint: ", d.path, ": ", d.before, " -> ", d.after);
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

void check_content(const CheckpointInfo& before, const CheckpointInfo& now, const StartOptions& options) {
  if (before.tokenizer != now.tokenizer)
    throw Error(ExitCode::config, "tokenizer: has digest ", now.tokenizer.hex(), ", the checkpoint was trained with ",
                before.tokenizer.hex(), "; token ids would mean other texts");
  if (options.weights_only || before.data == now.data) return;
  if (!options.allow_data_change)
    throw Error(ExitCode::config,
                "data.train: is not what the checkpoint was trained on; the order of samples would be another",
                changed_sources(before.data_sources, now.data_sources), "\n--allow-data-change goes on all the same");
  log::warning("data.train has changed since the checkpoint: samples may come twice or never");
}

void start_from(Trainer& trainer, const Checkpoint& checkpoint, const StartOptions& options) {
  check_content(checkpoint.info(), trainer.checkpoint_info(), options);
  if (options.weights_only) {
    const State weights = trainer.model_state();
    checkpoint.load_some(weights);
    trainer.restore_model(weights);
    return;
  }
  State state = trainer.state();
  checkpoint.load(state);
  trainer.restore(state);
}

// The checkpoint of this run to go on from, if any.
std::optional<Checkpoint> checkpoint_to_resume(const RunFolder& folder, const StartOptions& options, Files& files) {
  if (options.resume == "never") return std::nullopt;
  if (options.resume == "auto") return CheckpointFolder(files, folder.checkpoints()).newest_good();
  return find_checkpoint(files, options.resume);
}

}  // namespace

ExitCode train(const RunConfig& config, const StartOptions& options, Files& files) {
  set_threads(config.train.threads);
  const auto folder = RunFolder::open(files, std::filesystem::path(config.run.dir) / config.run.name,
                                      options.resume == "never" ? ResumeMode::never : ResumeMode::automatic);
  auto checkpoint = checkpoint_to_resume(folder, options, files);
  const bool resuming = checkpoint.has_value();
  StartOptions as = options;
  if (resuming)
    as.weights_only = false;  // of --from, which has had its effect when the run began
  else if (options.from)
    checkpoint = find_checkpoint(files, *options.from);
  if (checkpoint) check_config(checkpoint->info(), config, as, /*new_run=*/!resuming);

  const auto communicator = single_process();
  Status status(files, folder.status());
  Trainer trainer(config, folder, status, *communicator, files);
  if (checkpoint) start_from(trainer, *checkpoint, as);
  write_atomically(files, folder.config(), config::dump(config));
  log::open_file(folder.log());
  if (checkpoint)
    log::info(resuming ? "resuming from " : "starting from ", checkpoint->path(), ", step ", checkpoint->info().step);
  if (resuming) CheckpointFolder(files, folder.checkpoints()).remove_after(checkpoint->info().step);
  try {
    const ExitCode code = trainer.run();
    status.ended(code);
    return code;
  } catch (const Error& error) {
    status.ended(error.code());
    throw;
  }
}

}  // namespace peerless
