// kill -9 of whole trainings of two processes whose lives begin with loading a checkpoint: half of the trials before an
// operation on checkpoints, a quarter before one on other files, a quarter at any time. Each is then run to its end,
// which must be that of an undisturbed run; a third of the jobs goes back from divergences on its way, and may do so no
// more often than the undisturbed one.
#include "tests/reliability/trainer/aim.h"
#include "tests/reliability/trainer/job.h"

namespace peerless::reliability {
namespace {

enum class When { at_a_checkpoint, at_another_file, at_any_time };

class KillTrainer {
 public:
  // A job, and the step from which the lives that are cut short begin.
  KillTrainer(const char* name, Settings settings, std::int64_t begin)
      : name_(name), begin_(begin), job_(std::move(settings)) {
    const auto started = std::chrono::steady_clock::now();
    const auto outcomes = job_.run("whole");
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - started).count();
    rollbacks_ = count(outcomes[0].err, kGoingBack);
    job_.run("base", {concat("train.stop_at=", begin)});
  }

  // Whether the kill came before the end.
  bool trial(When when, std::uint64_t seed, Aim& aim, Random& random, std::map<std::string, Result>& results) {
    const char* const mode = random() % 2 == 0 ? "sync" : "async";
    const int victim = static_cast<int>(random() % 3);  // 2: both
    const auto variant = concat(name_, mode, ", ", victim == 2 ? "both" : concat("rank ", victim));
    auto& result = results.try_emplace(variant, Result{"kill-trainer", variant, seed}).first->second;
    const Settings settings{concat("checkpoint.mode=", mode), concat("train.max_rollbacks=", rollbacks_)};
    const auto& counts = operations(settings, victim == 1 ? 1 : 0);
    const auto others = [](Phase phase) { return !of_checkpoints(phase); };
    const auto at = when == When::at_any_time
                        ? Occasion()
                        : aim.choose(counts, when == When::at_a_checkpoint ? of_checkpoints : others, random);
    return strike(settings, victim, at, random, result);
  }

 private:
  static std::int64_t count(const std::string& text, const std::string& what) {
    std::int64_t found = 0;
    for (auto at = text.find(what); at != std::string::npos; at = text.find(what, at + 1)) ++found;
    return found;
  }

  // Operations on files of a whole life, by rank and settings.
  const std::map<std::string, int>& operations(const Settings& settings, int rank) {
    auto& counts = operations_[settings];
    if (counts.empty()) {
      job_.copy("base", "counted");
      job_.run("counted", settings);
      for (int r = 0; r < kRanks; ++r) counts.push_back(job_.fault(r).operations.by_label());
    }
    return counts[static_cast<std::size_t>(rank)];
  }

  bool strike(const Settings& settings, int victim, const Occasion& at, Random& random, Result& result) {
    const int rank = victim == 1 ? 1 : 0;
    const bool at_any_time = at.number == 0;
    job_.copy("base", "trial");
    job_.no_faults();
    job_.fault(rank).aim(Fault::Kind::kill, at);
    if (victim == 2) job_.fault(0).partner = Fault::kToBeNamed;
    const auto processes = job_.start("trial", settings);
    if (victim == 2) job_.fault(0).partner = processes[1].id();
    if (at_any_time) {
      sleep_for(uniform(random, seconds_));
      for (int r = 0; r < kRanks; ++r)
        if (victim == 2 || r == victim) processes[static_cast<std::size_t>(r)].signal(SIGKILL);
    }
    const auto outcomes = Job::wait(processes);
    const bool hit = outcomes[static_cast<std::size_t>(rank)].code == 128 + SIGKILL;
    ++result.histogram[!hit ? "none: it had ended" : at_any_time ? "at any time" : job_.fault(rank).struck.data()];
    result.trials += hit ? 1 : 0;
    check_survivors(outcomes, victim, result);
    job_.check("trial", outcomes[0].err, begin_, result);
    expect_to_recover(settings, result);
    return hit;
  }

  void expect_to_recover(const Settings& settings, Result& result) {
    for (const auto& recovered : job_.run("trial", settings))
      if (recovered.code != 0) result.failures.push_back(concat("it does not recover: ", recovered.err));
    job_.check_equal("whole", "trial", "after a kill", result);
    for (const auto& left : disk().list(job_.folder("trial") / "checkpoints"))
      if (!left.starts_with("step-") && !left.starts_with("aside-"))
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
  std::map<Settings, std::vector<std::map<std::string, int>>> operations_;
};

}  // namespace

Results kill_trainer(const Request& request) {
  KillTrainer usual(
      "", {"train.max_steps=24", "checkpoint.every_steps=3", "checkpoint.keep_last=2", "eval.every_steps=12"}, 6);
  // A low threshold makes spikes of a few losses that only scatter.
  KillTrainer going_back("going back, ",
                         {"train.max_steps=240", "checkpoint.every_steps=20", "checkpoint.good_after=25",
                          "eval.every_steps=0", "train.spike_threshold=2.2", "train.max_spike_steps=1", "optim.lr=1e-9",
                          "train.max_rollbacks=99", "checkpoint.keep_last=2"},
                         100);
  constexpr std::array kWhen{When::at_a_checkpoint, When::at_another_file, When::at_a_checkpoint, When::at_any_time};
  Random random(request.seed);
  Aim aim;
  std::map<std::string, Result> results;
  const auto missing = make_trials(std::max<std::int64_t>(request.count, 12), [&](std::int64_t counted) {
    auto& job = counted % 6 < 4 ? usual : going_back;
    return job.trial(kWhen[static_cast<std::size_t>(counted) % kWhen.size()], request.seed, aim, random, results);
  });
  auto all = collect(results, missing);
  aim.expect_everywhere(all);
  return all;
}

}  // namespace peerless::reliability
