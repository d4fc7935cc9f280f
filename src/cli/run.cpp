#include "peerless/cli/run.h"

#include <fcntl.h>
#include <pthread.h>
#include <sys/resource.h>
#include <unistd.h>

#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <iostream>
#include <string_view>

#include "peerless/base/version.h"
#include "peerless/cli/verbs.h"
#include "peerless/cluster/fatal.h"
#include "peerless/params/library_error.h"

namespace peerless::cli {
namespace {

// An answer that did not arrive is no success.
int delivered(int code) {
  std::cout.flush();
  if (std::cout || code != 0) return code;
  return report_fatal(ExitCode::io,
                      "standard output: cannot write all of the answer: is the disk full, or the pipe closed?");
}

int run(int argc, char** argv, Files& files) {
  ExitCode exit_code = ExitCode::ok;
  CLI::App app("Pretrains decoder-only language models, from raw text to an evaluated model.", "peerless");
  app.set_version_flag("--version", program_version());
  app.require_subcommand(1);
  add_tokenizer(app);
  add_data(app);
  add_config(app);
  add_plan(app);
  add_doctor(app);
  add_train(app, exit_code, files);
  add_checkpoint(app, exit_code);
  add_eval(app);
  add_generate(app);
  try {
    app.parse(argc, argv);
    return static_cast<int>(exit_code);
  } catch (const CLI::Success& help) {
    return app.exit(help);
  } catch (const CLI::ParseError& error) {
    return report_fatal(ExitCode::usage, concat(error.what(), "; see --help"));
  } catch (const Error& error) {
    return report_fatal(error.code(), error.what());
  } catch (const std::exception& error) {
    const Error readable = to_error(error);
    return report_fatal(readable.code(), readable.what());
  }
}

// A standard stream that was closed would else be the first file that is opened, and lines meant for people would end
// up in it. Writing to what stands in for it fails, as it did.
void occupy_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO})
    if (::fcntl(stream, F_GETFD) < 0) ::open("/dev/null", O_RDONLY);  // gets the lowest number that is free
}

// Weights do not belong into a dump of memory that others may read; and what reads strangers' files has no rights to
// lend.
void be_careful() {
  if (std::getenv("PEERLESS_CORE_DUMPS") == nullptr) {
    const rlimit none{0, 0};
    ::setrlimit(RLIMIT_CORE, &none);
  }
  rlimit files{};
  if (::getrlimit(RLIMIT_NOFILE, &files) == 0 && files.rlim_cur < files.rlim_max) {  // each token shard has one
    files.rlim_cur = files.rlim_max;
    ::setrlimit(RLIMIT_NOFILE, &files);
  }
  if (::getuid() != ::geteuid() || ::getgid() != ::getegid())
    _exit(report_fatal(ExitCode::usage, "this program does not run setuid or setgid; remove that bit of its file",
                       [](const std::string&) { return std::nullopt; }));  // whose variables would name a file to write
}

// Where another process has the core of one of OpenMP's threads, the others spin until it is done, by default for
// milliseconds: a step may take 40 times as long. A thousand turns of spinning cost nothing where cores are free, and
// soon leave them to others where not. libgomp reads this when it is loaded: so the program executes itself again.
void spin_briefly(char** argv) {
  if (std::getenv("GOMP_SPINCOUNT") == nullptr && std::getenv("OMP_WAIT_POLICY") == nullptr &&
      ::setenv("GOMP_SPINCOUNT", "1000", /*overwrite=*/0) == 0)
    ::execv("/proc/self/exe", argv);                   // where that fails, threads spin on
  ::pthread_setname_np(::pthread_self(), "peerless");  // else `ps` says "exe"
}

bool trains(int argc, char** argv) { return argc > 1 && std::string_view(argv[1]) == "train"; }

}  // namespace

void run_and_exit(int argc, char** argv, Files& files) {
  occupy_standard_streams();
  be_careful();
  if (trains(argc, argv)) spin_briefly(argv);
  std::signal(SIGPIPE, SIG_IGN);  // nobody may be reading the log any more; the work goes on
  std::signal(SIGXFSZ, SIG_IGN);  // a limit of file sizes is met as a write that fails
  const int code = delivered(run(argc, argv, files));
  std::fflush(nullptr);
  _exit(code);  // what libraries would tear down now takes a tenth of a second and can only fail
}

}  // namespace peerless::cli
