#include "peerless/cli/verbs.h"
#include "peerless/config/config.h"
#include "peerless/train/start.h"

namespace peerless::cli {

void add_train(CLI::App& app, ExitCode& exit_code) {
  struct Options {
    std::string file;
    std::vector<std::string> overrides;
    StartOptions start;
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("train", "train a model; go on where the run of that name stopped");
  verb->add_option("--config", options->file, "the run's YAML file")->required();
  verb->add_option("overrides", options->overrides, "key.path=value, laid over the file; a later one wins");
  verb->add_option(
          "--resume", options->start.resume,
          "auto: go on from the run's newest good checkpoint, if any; never: refuse a folder that holds a run; "
          "or the folder of a checkpoint to go back to")
      ->capture_default_str();
  verb->add_option("--from", options->start.from,
                   "a run or checkpoint: start this run with its weights, moments and data position");
  verb->add_flag("--weights-only", options->start.weights_only, "with --from: only its weights")->needs("--from");
  verb->add_option("--override", options->start.override_keys,
                   "a key, or section, that may differ from the checkpoint's config (see `config explain`); repeatable")
      ->allow_extra_args(false);
  verb->add_flag("--allow-data-change", options->start.allow_data_change,
                 "go on although the training data have changed");
  verb->callback([options, &exit_code] {
    const auto loaded = config::load<RunConfig>(disk(), options->file, options->overrides);
    exit_code = train(loaded.config, options->start, disk());
  });
}

}  // namespace peerless::cli
