// The verbs of the program. Each adds its subcommand to the app; the subcommand's callback does the work and throws
// Error (or sets the exit code) where it cannot.
#pragma once

#include <CLI/CLI.hpp>

#include "peerless/base/error.h"
#include "peerless/base/files.h"

namespace peerless::cli {

void add_tokenizer(CLI::App& app);
void add_data(CLI::App& app);
void add_train(CLI::App& app, ExitCode& exit_code, Files& files);  // a run that was asked to stop is no error
void add_eval(CLI::App& app);
void add_generate(CLI::App& app);
void add_checkpoint(CLI::App& app, ExitCode& exit_code);  // `diff` of different checkpoints exits with 1
void add_config(CLI::App& app);
void add_plan(CLI::App& app);
void add_doctor(CLI::App& app);

}  // namespace peerless::cli
