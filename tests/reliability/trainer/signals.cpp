// Requests to stop at any time from the moment a process hears them: while processes meet, load, train, evaluate and
// save; to one of two processes or to both, once or in a storm. They must end with exit 75 and all that was done
// durable, and go on from there as if nothing had been.
#include <fstream>

#include "tests/reliability/trainer/job.h"

namespace peerless::reliability {
namespace {

constexpr int kPreempted = 75, kPeer = 76;
constexpr std::array kSignals{SIGTERM, SIGUSR1, SIGUSR2, SIGINT, SIGHUP, SIGXCPU};

// Whether a process has a handler for SIGTERM.
bool hears(const Process& process) {
  std::ifstream status(concat("/proc/", process.id(), "/status"));
  for (std::string line; std::getline(status, line);)
    if (line.starts_with("SigCgt:")) return (std::stoull(line.substr(8), nullptr, 16) >> (SIGTERM - 1) & 1) != 0;
  return false;
}

void wait_until_it_hears(const Process& process) {
  while (!hears(process) && !process.ended()) sleep_for(0.001);
}

class Signals {
 public:
  Signals() {
    const auto begin = std::chrono::steady_clock::now();
    job_.run("whole");
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    job_.run("base", {"train.stop_at=5"});
  }

  void strike(Random& random, Result& result) {
    job_.copy("base", "trial");
    job_.no_faults();
    const int victim = static_cast<int>(random() % 3);  // 2: both
    const int signal = kSignals[random() % kSignals.size()];
    const int times = signal != SIGINT && random() % 5 == 0 ? 50 : 1;  // a second SIGINT ends at once
    const auto processes = job_.start("trial");
    const auto& first = processes[victim == 1 ? 1 : 0];
    wait_until_it_hears(first);
    sleep_for(uniform(random, seconds_));
    for (int i = 0; i < times; ++i) {
      for (int r = 0; r < kRanks; ++r)
        if (victim == 2 || r == victim) send(processes[static_cast<std::size_t>(r)], signal);
      if (times > 1) sleep_for(0.001);
    }
    const auto outcomes = Job::wait(processes);
    judge(outcomes, victim, concat(times, " x signal ", signal, " to ", victim), result);
    for (const auto& end : job_.run("trial"))
      if (end.code != 0) result.failures.push_back(concat("it does not go on: ", end.err));
    job_.check_equal("whole", "trial", "after a stop", result);
  }

 private:
  static void send(const Process& process, int signal) {
    wait_until_it_hears(process);
    process.signal(signal);
  }

  void judge(const std::vector<Outcome>& outcomes, int victim, const std::string& what, Result& result) const {
    ++result.trials;
    const bool met = outcomes[0].err.find("processes: 2") != std::string::npos ||
                     outcomes[0].err.find("resuming from") != std::string::npos;
    const bool finished = outcomes[0].err.find("done: ") != std::string::npos;
    ++result.histogram[finished ? "too late" : met ? "in training" : "before they met"];
    for (int r = 0; r < kRanks; ++r) {
      const auto& outcome = outcomes[static_cast<std::size_t>(r)];
      const bool left_alone = !met && victim != 2 && r != victim;
      const bool good =
          finished ? outcome.code == 0 : outcome.code == kPreempted || (left_alone && outcome.code == kPeer);
      if (!good) result.failures.push_back(concat(what, ": rank ", r, " ends with ", outcome.code, ": ", outcome.err));
    }
    const auto status = nlohmann::json::parse(test::content(job_.folder("trial") / "status.json"), nullptr, false);
    if (met && !finished && status.value("step", -1) != status.value("durable", -2))
      result.failures.push_back(concat(what, ": not all that was done is durable: ", status.dump()));
    job_.check("trial", acknowledged(outcomes[0].err, job_.folder("trial")), result);
  }

  Job job_{{"train.max_steps=60", "checkpoint.every_steps=5", "eval.every_steps=4", "log.every_steps=1"}};
  double seconds_ = 1;
};

}  // namespace

Results signals(const Request& request) {
  Random random(request.seed);
  Signals signals;
  Result result{"signals", "two processes", request.seed};
  for (std::int64_t i = 0; i < std::max<std::int64_t>(request.count, 1); ++i) signals.strike(random, result);
  return {result};
}

}  // namespace peerless::reliability
