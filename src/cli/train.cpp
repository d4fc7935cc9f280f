#include "peerless/cli/verbs.h"
#include "peerless/config/config.h"
#include "peerless/train/start.h"

namespace peerless::cli {
namespace {

std::string keys_of_the_config() {
  constexpr std::size_t kColumn = 44;
  std::string text = "Keys, each as key.path=value or in the file (`peerless config explain KEY` says more):\n";
  for (const auto& row : config::help_rows<RunConfig>())
    text +=
        concat("  ", row.key, std::string(std::max(kColumn, row.key.size() + 1) - row.key.size(), ' '), row.text, "\n");
  return text +
         "Results go to <run.dir>/<run.name>/. Exit codes: 0 done or paused at train.stop_at, 75 stopped on request "
         "(the same command goes on, with --resume auto), 64 command line, 65 data, 66 no input, 70 internal, "
         "73 output, 74 input/output, 76 another process failed, 78 config, 80 diverged, 81 too many starts without "
         "a new checkpoint, 130 a second Ctrl-C.";
}

void add_launch_flags(CLI::App& verb, LaunchFlags& flags) {
  constexpr const char* kGroup = "Several processes (torchrun, srun and mpirun need none of these)";
  verb.add_option("--rank", flags.rank, "number of this process, from 0")->group(kGroup);
  verb.add_option("--world-size", flags.world_size, "number of processes")->group(kGroup);
  verb.add_option("--local-rank", flags.local_rank, "number of this process among those of its host")->group(kGroup);
  verb.add_option("--local-size", flags.local_size, "number of processes of its host")->group(kGroup);
  verb.add_option("--rendezvous", flags.rendezvous, "where they meet: HOST:PORT of process 0, or file:PATH")
      ->group(kGroup);
}

}  // namespace

void add_train(CLI::App& app, ExitCode& exit_code, Files& files) {
  struct Options {
    std::string file;
    std::vector<std::string> overrides;
    StartOptions start;
    LaunchFlags launch;
  };
  auto options = std::make_shared<Options>();
  auto* verb = app.add_subcommand("train", "train a model; go on where the run of that name stopped");
  verb->add_option("--config", options->file, "the run's YAML file")->required();
  verb->add_option("overrides", options->overrides, "key.path=value: overrides the file; a later one wins");
  verb->add_option(
          "--resume", options->start.resume,
          "auto: go on from the run's newest intact checkpoint, if any; never: refuse a folder that holds a run; "
          "or the folder of a checkpoint to go back to")
      ->capture_default_str();
  verb->add_option("--from", options->start.from,
                   "a run or checkpoint: start this run with its weights, moments and data position");
  verb->add_flag("--weights-only", options->start.weights_only, "with --from: only its weights")->needs("--from");
  verb->add_flag("--allow-nonfinite", options->start.allow_nonfinite,
                 "with --from: also where what it takes over is NaN or infinite")
      ->needs("--from");
  verb->add_option("--override", options->start.override_keys,
                   "a key, or section, that may differ from the checkpoint's config (see `config explain`); repeatable")
      ->allow_extra_args(false);
  verb->add_flag("--allow-data-change", options->start.allow_data_change,
                 "go on although the training data have changed");
  add_launch_flags(*verb, options->launch);
  verb->footer(keys_of_the_config);
  verb->callback([options, &exit_code, &files] {
    static const StopRequest stop;  // to the end of the process: one that is about to end with 75 does so
    const auto loaded = config::load<RunConfig>(disk(), options->file, options->overrides);
    const Launch launch = detect_launch(options->launch, process_environment());
    exit_code = train(loaded.config, options->start, launch, stop, files);
  });
}

}  // namespace peerless::cli
