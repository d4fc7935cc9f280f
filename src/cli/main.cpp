#include <unistd.h>

#include <cstdio>
#include <iostream>

#include "peerless/base/version.h"
#include "peerless/cli/verbs.h"

namespace peerless::cli {
namespace {

int report(ExitCode code, const std::string& what) {
  std::cerr << "peerless: " << name(code) << ": " << what << std::endl;
  return static_cast<int>(code);
}

int run(int argc, char** argv) {
  ExitCode exit_code = ExitCode::ok;
  CLI::App app("Pretrains decoder-only language models, from raw text to an evaluated model.", "peerless");
  app.set_version_flag("--version", program_version());
  app.require_subcommand(1);
  add_tokenizer(app);
  add_data(app);
  add_config(app);
  add_train(app, exit_code);
  add_checkpoint(app, exit_code);
  add_eval(app);
  add_generate(app);
  try {
    app.parse(argc, argv);
    return static_cast<int>(exit_code);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return report(ExitCode::usage, concat(error.what(), "; see --help"));
  } catch (const Error& error) {
    return report(error.code(), error.what());
  } catch (const std::exception& error) {
    return report(ExitCode::internal, error.what());
  }
}

}  // namespace
}  // namespace peerless::cli

int main(int argc, char** argv) {
  const int code = peerless::cli::run(argc, argv);
  std::cout.flush();
  std::fflush(nullptr);
  _exit(code);  // what libraries would tear down now takes a tenth of a second and can only fail
}
