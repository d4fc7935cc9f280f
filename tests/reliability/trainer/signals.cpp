// Requests to stop at any time from the moment a process hears them: while processes meet, load, train, evaluate and
// save; to one of two processes or to both, once or in a storm; in each of these phases, before an operation on files;
// while data do not come; and where a kill follows sooner than a save can end. They must end with exit 75 and all that
// was done durable, or said to be lost, and go on from there as if nothing had been.
#include <csignal>
#include <fstream>

#include "tests/reliability/trainer/aim.h"
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
    job_.copy("base", "counted");
    job_.run("counted");
    for (int r = 0; r < kRanks; ++r) operations_.push_back(job_.fault(r).operations.by_label());
  }

  // Each trial says whether it counts.

  // At any time, to one or both.
  bool strike(Random& random, Result& result) {
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
    return judge(outcomes, victim, what, met(outcomes) ? "in training" : "before they met", result);
  }

  // To one, before one of its operations on files: not one of the last, at which it might come too late.
  bool strike_at_an_operation(Aim& aim, Random& random, Result& result) {
    begin();
    const int victim = static_cast<int>(random() % kRanks), signal = any_signal(random);
    const auto named = [](Phase phase) { return phase != Phase::other; };
    const auto at = aim.choose(operations_[static_cast<std::size_t>(victim)], named, random, /*share=*/0.5);
    job_.fault(victim).aim(Fault::Kind::signal, at, signal);
    const auto outcomes = Job::wait(job_.start("trial"));
    const auto what = concat("signal ", signal, " to ", victim, " at ", at.label, " ", at.number);
    return judge(outcomes, victim, what, at.label, result);
  }

  // While one or both wait for data that do not come.
  bool strike_without_data(Random& random, Result& result) {
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
    return judge(outcomes, 2, what, "without data", result);
  }

  // Before a kill that comes sooner than a save can end.
  bool strike_with_little_grace(Random& random, Result& result) {
    begin();
    for (int r = 0; r < kRanks; ++r) job_.fault(r).delay_sync_ms = 1100;
    const auto processes = job_.start("trial", {"train.grace_seconds=1", "checkpoint.mode=sync"});
    processes[0].prints("checkpoint of step 10 is durable");
    sleep_for(uniform(random, 0.1));
    for (const auto& process : processes) send(process, SIGTERM);
    const auto outcomes = Job::wait(processes);
    if (acknowledged(outcomes[0].err, job_.folder("trial")) % kEvery != 0)
      result.failures.push_back(concat("it saved all the same: ", outcomes[0].err));
    return judge(outcomes, 2, "SIGTERM", "before a kill", result);
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

  // Whether it came before the end.
  bool judge(const std::vector<Outcome>& outcomes, int victim, const std::string& what, const std::string& where,
             Result& result) {
    const bool finished = this->finished(outcomes);
    result.trials += finished ? 0 : 1;
    ++result.histogram[finished ? "too late" : where];
    for (int r = 0; r < kRanks; ++r) {
      const auto& outcome = outcomes[static_cast<std::size_t>(r)];
      const bool left_alone = !met(outcomes) && victim != 2 && r != victim;
      const bool good =
          finished ? outcome.code == 0 : outcome.code == kPreempted || (left_alone && outcome.code == kPeer);
      if (!good) result.failures.push_back(concat(what, ": rank ", r, " ends with ", outcome.code, ": ", outcome.err));
    }
    job_.check("trial", outcomes[0].err, /*before=*/kEvery, result);
    expect_all_durable(outcomes, what, result);
    expect_to_go_on(result);
    return !finished;
  }
  void expect_all_durable(const std::vector<Outcome>& outcomes, const std::string& what, Result& result) const {
    const bool told = outcomes[0].err.find(" steps to redo") != std::string::npos;
    if (!met(outcomes) || finished(outcomes) || told) return;
    const auto status = nlohmann::json::parse(test::content(job_.folder("trial") / "status.json"), nullptr, false);
    if (status.value("step", -1) != status.value("durable", -2))
      result.failures.push_back(concat(what, ": not all that was done is durable: ", status.dump()));
  }
  void expect_to_go_on(Result& result) {
    for (const auto& end : job_.run("trial"))
      if (end.code != 0) result.failures.push_back(concat("it does not go on: ", end.err));
    job_.check_equal("whole", "trial", "after a stop", result);
  }

  static constexpr std::int64_t kEvery = 5;
  Job job_{
      {"train.max_steps=60", concat("checkpoint.every_steps=", kEvery), "eval.every_steps=4", "log.every_steps=1"}};
  std::vector<std::map<std::string, int>> operations_;  // of a whole life, by rank
  double seconds_ = 1;
};

}  // namespace

// Of ten trials four are at any time, and four at an operation.
Results signals(const Request& request) {
  Random random(request.seed);
  Signals signals;
  Aim aim;
  Results results{{"signals", "two processes", request.seed},
                  {"signals", "at an operation", request.seed},
                  {"signals", "data do not come", request.seed},
                  {"signals", "a kill follows soon", request.seed}};
  const std::array<std::function<bool(Result&)>, 4> kinds{
      [&](Result& result) { return signals.strike(random, result); },
      [&](Result& result) { return signals.strike_at_an_operation(aim, random, result); },
      [&](Result& result) { return signals.strike_without_data(random, result); },
      [&](Result& result) { return signals.strike_with_little_grace(random, result); }};
  const auto tenth = (std::max<std::int64_t>(request.count, 20) + 9) / 10;
  const std::array<std::int64_t, 4> counts{4 * tenth, 4 * tenth, tenth, tenth};
  for (std::size_t kind = 0; kind < kinds.size(); ++kind) {
    const auto missing = make_trials(counts[kind], [&](std::int64_t) { return kinds[kind](results[kind]); });
    if (missing) results[kind].failures.push_back(*missing);
  }
  aim.expect_everywhere(results);
  return results;
}

}  // namespace peerless::reliability
