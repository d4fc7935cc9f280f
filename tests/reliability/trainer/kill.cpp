// kill -9 of whole trainings of two processes: half of the trials before one of the operations on files of a life that
// begins with loading a checkpoint, half at any time. Each is then run to its end, which must be that of an undisturbed
// run.
#include "tests/reliability/trainer/job.h"

namespace peerless::reliability {
namespace {

class KillTrainer {
 public:
  KillTrainer() {
    const auto begin = std::chrono::steady_clock::now();
    job_.run("whole");
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
    job_.run("base", {"train.stop_at=6"});
  }

  Results run(const Request& request) {
    Random random(request.seed);
    std::map<std::string, Result> results;
    for (std::int64_t i = 0; i < std::max<std::int64_t>(request.count, 1); ++i) {
      const char* const mode = random() % 2 == 0 ? "sync" : "async";
      const int victim = static_cast<int>(random() % 3);  // 2: both
      const auto variant = concat(mode, ", ", victim == 2 ? "both" : concat("rank ", victim));
      auto& result = results.try_emplace(variant, Result{"kill-trainer", variant, request.seed}).first->second;
      strike(concat("checkpoint.mode=", mode), victim, i % 2 == 0, random, result);
    }
    Results all;
    for (auto& [name, result] : results) all.push_back(std::move(result));
    return all;
  }

 private:
  // Operations on files of a whole life, by rank and mode.
  int operations(const std::string& mode, int rank) {
    auto& counts = operations_[mode];
    if (counts.empty()) {
      job_.copy("base", "counted");
      job_.run("counted", {mode});
      counts = {job_.fault(0).operations, job_.fault(1).operations};
    }
    return counts[static_cast<std::size_t>(rank)];
  }

  void strike(const std::string& mode, int victim, bool at_an_operation, Random& random, Result& result) {
    const int rank = victim == 1 ? 1 : 0;
    const int most = operations(mode, rank);
    job_.copy("base", "trial");
    job_.no_faults();
    if (at_an_operation) job_.fault(rank).kill_at = static_cast<int>(1 + random() % static_cast<std::uint64_t>(most));
    if (victim == 2) job_.fault(0).partner = Fault::kToBeNamed;
    const auto processes = job_.start("trial", {mode});
    if (victim == 2) job_.fault(0).partner = processes[1].id();
    if (!at_an_operation) {
      sleep_for(uniform(random, seconds_));
      for (int r = 0; r < kRanks; ++r)
        if (victim == 2 || r == victim) processes[static_cast<std::size_t>(r)].signal(SIGKILL);
    }
    const auto outcomes = Job::wait(processes);
    const std::string struck = at_an_operation ? job_.fault(rank).struck.data() : "at any time";
    ++result.histogram[struck.empty() ? "none: it had ended" : struck];
    result.trials += struck.empty() ? 0 : 1;
    check_survivors(outcomes, victim, result);
    job_.check("trial", std::max<std::int64_t>(6, acknowledged(outcomes[0].err, job_.folder("trial"))), result);
    for (const auto& recovered : job_.run("trial", {mode}))
      if (recovered.code != 0) result.failures.push_back(concat("it does not recover: ", recovered.err));
    job_.check_equal("whole", "trial", "after a kill", result);
    for (const auto& left : disk().list(job_.folder("trial") / "checkpoints"))
      if (!left.starts_with("step-")) result.failures.push_back(concat("recovery leaves ", left));
  }

  // One that was not killed has lost its peer, or had come to its end.
  static void check_survivors(const std::vector<Outcome>& outcomes, int victim, Result& result) {
    for (int r = 0; r < kRanks && victim != 2; ++r) {
      const auto& outcome = outcomes[static_cast<std::size_t>(r)];
      if (r != victim && outcome.code != 0 && outcome.code != static_cast<int>(ExitCode::peer))
        result.failures.push_back(concat("a survivor ends with ", outcome.code, ": ", outcome.err));
    }
  }

  Job job_{{"train.max_steps=24", "checkpoint.every_steps=3", "checkpoint.keep_last=2", "eval.every_steps=12"}};
  double seconds_ = 1;
  std::map<std::string, std::vector<int>> operations_;
};

}  // namespace

Results kill_trainer(const Request& request) { return KillTrainer().run(request); }

}  // namespace peerless::reliability
