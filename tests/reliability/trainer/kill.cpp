// kill -9 of whole trainings of two processes: half of the trials before one of the operations on files of a life that
// begins with loading a checkpoint, half at any time. Each is then run to its end, which must be that of an undisturbed
// run; a third of the jobs goes back from divergences on its way, and may do so no more often than the undisturbed one.
#include "tests/reliability/trainer/job.h"

namespace peerless::reliability {
namespace {

class KillTrainer {
 public:
  // A job, and the step from which the lives that are cut short begin.
  KillTrainer(const char* name, Settings settings, std::int64_t begin)
      : name_(name), begin_(begin), job_(std::move(settings)) {
    const auto started = std::chrono::steady_clock::now();
    const auto outcomes = job_.run("whole");
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    rollbacks_ = count(outcomes[0].err, "going back to step");
    job_.run("base", {concat("train.stop_at=", begin)});
  }

  void trial(bool at_an_operation, std::uint64_t seed, Random& random, std::map<std::string, Result>& results) {
    const char* const mode = random() % 2 == 0 ? "sync" : "async";
    const int victim = static_cast<int>(random() % 3);  // 2: both
    const auto variant = concat(name_, mode, ", ", victim == 2 ? "both" : concat("rank ", victim));
    auto& result = results.try_emplace(variant, Result{"kill-trainer", variant, seed}).first->second;
    strike({concat("checkpoint.mode=", mode), concat("train.max_rollbacks=", rollbacks_)}, victim, at_an_operation,
           random, result);
  }

 private:
  static std::int64_t count(const std::string& text, const std::string& what) {
    std::int64_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }

  // Operations on files of a whole life, by rank and settings.
  int operations(const Settings& settings, int rank) {
    auto& counts = operations_[settings];
    if (counts.empty()) {
      job_.copy("base", "counted");
      job_.run("counted", settings);
      counts = {job_.fault(0).operations, job_.fault(1).operations};
    }
    return counts[static_cast<std::size_t>(rank)];
  }

  void strike(const Settings& settings, int victim, bool at_an_operation, Random& random, Result& result) {
    const int rank = victim == 1 ? 1 : 0;
    const int most = operations(settings, rank);
    job_.copy("base", "trial");
    job_.no_faults();
    if (at_an_operation) job_.fault(rank).kill_at = static_cast<int>(1 + random() % static_cast<std::uint64_t>(most));
    if (victim == 2) job_.fault(0).partner = Fault::kToBeNamed;
    const auto processes = job_.start("trial", settings);
    if (victim == 2) job_.fault(0).partner = processes[1].id();
    if (!at_an_operation) {
      sleep_for(uniform(random, seconds_));
      for (int r = 0; r < kRanks; ++r)
        if (victim == 2 || r == victim) processes[static_cast<std::size_t>(r)].signal(SIGKILL);
    }
    const auto outcomes = Job::wait(processes);
    const bool hit = outcomes[static_cast<std::size_t>(rank)].code == 128 + SIGKILL;
    ++result.histogram[!hit ? "none: it had ended" : at_an_operation ? job_.fault(rank).struck.data() : "at any time"];
    result.trials += hit ? 1 : 0;
    check_survivors(outcomes, victim, result);
    job_.check("trial", std::max(begin_, acknowledged(outcomes[0].err, job_.folder("trial"))), result);
    for (const auto& recovered : job_.run("trial", settings))
      if (recovered.code != 0) result.failures.push_back(concat("it does not recover: ", recovered.err));
    job_.check_equal("whole", "trial", "after a kill", result);
    for (const auto& left : disk().list(job_.folder("trial") / "checkpoints"))
      if (!left.starts_with("step-") && !left.starts_with("aside-step-"))
        result.failures.push_back(concat("recovery leaves ", left));
  }

  // One that was not killed has lost its peer, or had come to its end.
  static void check_survivors(const std::vector<Outcome>& outcomes, int victim, Result& result) {
    for (int r = 0; r < kRanks && victim != 2; ++r) {
      const auto& outcome = outcomes[static_cast<std::size_t>(r)];
      if (r != victim && outcome.code != 0 && outcome.code != static_cast<int>(ExitCode::peer))
        result.failures.push_back(concat("a survivor ends with ", outcome.code, ": ", outcome.err));
    }
  }

  const char* name_;
  std::int64_t begin_;
  Job job_;
  double seconds_ = 1;
  std::int64_t rollbacks_ = 0;  // of an undisturbed run: no more are allowed
  std::map<Settings, std::vector<int>> operations_;
};

}  // namespace

Results kill_trainer(const Request& request) {
  KillTrainer usual(
      "", {"train.max_steps=24", "checkpoint.every_steps=3", "checkpoint.keep_last=2", "eval.every_steps=12"}, 6);
  // A low threshold makes spikes of a few losses that only scatter.
  KillTrainer going_back("going back, ",
                         {"train.max_steps=240", "checkpoint.every_steps=20", "checkpoint.good_after=5",
                          "eval.every_steps=0", "train.spike_threshold=2.2", "train.max_spike_steps=1", "optim.lr=1e-9",
                          "train.max_rollbacks=99", "checkpoint.keep_last=2"},
                         100);
  Random random(request.seed);
  std::map<std::string, Result> results;
  for (std::int64_t i = 0; i < std::max<std::int64_t>(request.count, 1); ++i)
    (i % 6 < 4 ? usual : going_back).trial(i % 2 == 0, request.seed, random, results);
  Results all;
  for (auto& [name, result] : results) all.push_back(std::move(result));
  return all;
}

}  // namespace peerless::reliability
