// Requests to stop at any time from the moment a process hears them: while processes meet, load, train, evaluate and
// save; to one of two processes or to both, once or in a storm; while data do not come; and where a kill follows sooner
// than a save can end. They must end with exit 75 and all that was done durable, or said to be lost, and go on from
// there as if nothing had been.
#include <csignal>
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
    std::signal(SIGHUP, SIG_DFL);  // under nohup a process would not hear it
    const auto begin = std::chrono::steady_clock::now();
    job_.run("whole");
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    job_.run("base", {"train.stop_at=5"});
  }

  // At any time, to one or both.
  void strike(Random& random, Result& result) {
    begin();
    const int victim = static_cast<int>(random() % 3);  // 2: both
    const int signal = any_signal(random);
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
    const auto what = concat(times, " x signal ", signal, " to ", victim);
    judge(outcomes, victim, what, result);
    expect_all_durable(outcomes, what, result);
    expect_to_go_on(result);
  }

  // While one or both wait for data that do not come.
  void strike_without_data(Random& random, Result& result) {
    begin();
    const auto processes = job_.start("trial");
    processes[0].prints("step 6/");
    const int starved = static_cast<int>(random() % 3);
    for (int r = 0; r < kRanks; ++r) job_.fault(r).hold_data = starved == 2 || r == starved;
    sleep_for(uniform(random, 0.5));  // what was read ahead is used up in less
    const int signal = any_signal(random);
    for (const auto& process : processes) send(process, signal);
    const auto outcomes = Job::wait(processes);
    const auto what = concat("signal ", signal, " while ", starved, " has no data");
    judge(outcomes, 2, what, result);
    expect_all_durable(outcomes, what, result);
    expect_to_go_on(result);
  }

  // Before a kill that comes sooner than a save can end.
  void strike_with_little_grace(Random& random, Result& result) {
    begin();
    for (int r = 0; r < kRanks; ++r) job_.fault(r).delay_sync_ms = 1100;
    const auto processes = job_.start("trial", {"train.grace_seconds=1", "checkpoint.mode=sync"});
    processes[0].prints("checkpoint of step 10 is durable");
    sleep_for(uniform(random, 0.1));
    for (const auto& process : processes) send(process, SIGTERM);
    const auto begin = std::chrono::steady_clock::now();
    const auto outcomes = Job::wait(processes);
    const std::chrono::duration<double> taken = std::chrono::steady_clock::now() - begin;
    judge(outcomes, 2, "SIGTERM", result);
    const auto said = [&](const char* what) { return outcomes[0].err.find(what) != std::string::npos; };
    const bool within_a_save = said("checkpoint of step 15 is durable");
    if (taken.count() > 1 && !within_a_save) result.failures.push_back(concat("the end took ", taken.count(), " s"));
    if (!said(" steps to redo")) expect_all_durable(outcomes, "SIGTERM", result);
    expect_to_go_on(result);
  }

 private:
  static int any_signal(Random& random) { return kSignals[random() % kSignals.size()]; }
  static void send(const Process& process, int signal) {
    wait_until_it_hears(process);
    process.signal(signal);
  }
  static bool met(const std::vector<Outcome>& outcomes) {
    return outcomes[0].err.find("processes: 2") != std::string::npos ||
           outcomes[0].err.find("resuming from") != std::string::npos;
  }
  static bool finished(const std::vector<Outcome>& outcomes) {
    return outcomes[0].err.find("done: ") != std::string::npos;
  }

  void begin() {
    job_.copy("base", "trial");
    job_.no_faults();
  }

  void judge(const std::vector<Outcome>& outcomes, int victim, const std::string& what, Result& result) const {
    const bool met = this->met(outcomes), finished = this->finished(outcomes);
    result.trials += finished ? 0 : 1;
    ++result.histogram[finished ? "too late" : met ? "in training" : "before they met"];
    for (int r = 0; r < kRanks; ++r) {
      const auto& outcome = outcomes[static_cast<std::size_t>(r)];
      const bool left_alone = !met && victim != 2 && r != victim;
      const bool good =
          finished ? outcome.code == 0 : outcome.code == kPreempted || (left_alone && outcome.code == kPeer);
      if (!good) result.failures.push_back(concat(what, ": rank ", r, " ends with ", outcome.code, ": ", outcome.err));
    }
    job_.check("trial", acknowledged(outcomes[0].err, job_.folder("trial")), result);
  }
  void expect_all_durable(const std::vector<Outcome>& outcomes, const std::string& what, Result& result) const {
    if (!met(outcomes) || finished(outcomes)) return;
    const auto status = nlohmann::json::parse(test::content(job_.folder("trial") / "status.json"), nullptr, false);
    if (status.value("step", -1) != status.value("durable", -2))
      result.failures.push_back(concat(what, ": not all that was done is durable: ", status.dump()));
  }
  void expect_to_go_on(Result& result) {
    for (const auto& end : job_.run("trial"))
      if (end.code != 0) result.failures.push_back(concat("it does not go on: ", end.err));
    job_.check_equal("whole", "trial", "after a stop", result);
  }

  Job job_{{"train.max_steps=60", "checkpoint.every_steps=5", "eval.every_steps=4", "log.every_steps=1"}};
  double seconds_ = 1;
};

}  // namespace

Results signals(const Request& request) {
  Random random(request.seed);
  Signals signals;
  Result usual{"signals", "two processes", request.seed}, starved{"signals", "data do not come", request.seed},
      hasty{"signals", "a kill follows soon", request.seed};
  for (std::int64_t i = 0; i < std::max<std::int64_t>(request.count, 10); ++i) switch (i % 10) {
      case 8:
        signals.strike_without_data(random, starved);
        break;
      case 9:
        signals.strike_with_little_grace(random, hasty);
        break;
      default:
        signals.strike(random, usual);
    }
  return {usual, starved, hasty};
}

}  // namespace peerless::reliability
