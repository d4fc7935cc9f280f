// Errors of the disk in whole trainings of two processes: at one of the operations of either, once or for ever. A
// training that has begun goes on after a single error, unless it is met in reading data; and whatever happened, on a
// disk that works again it ends as an undisturbed one.
#include "tests/reliability/trainer/job.h"

namespace peerless::reliability {
namespace {

class IoErrorsTrainer {
 public:
  IoErrorsTrainer() {
    job_.run("whole");
    job_.run("base", {"train.stop_at=6"});
    job_.copy("base", "counted");
    job_.run("counted");
    for (int r = 0; r < kRanks; ++r) operations_[static_cast<std::size_t>(r)] = job_.fault(r).operations.all();
  }

  // Whether it was met.
  bool strike(bool for_ever, Random& random, Result& result) {
    constexpr std::array kErrors{EIO, ENOSPC, EDQUOT, EROFS};
    const int victim = static_cast<int>(random() % kRanks);
    job_.copy("base", "trial");
    job_.no_faults();
    auto& fault = job_.fault(victim);
    const auto most = static_cast<std::uint64_t>(operations_[static_cast<std::size_t>(victim)]);
    const int error = kErrors[random() % kErrors.size()];
    fault.aim(Fault::Kind::error, {"", static_cast<int>(1 + random() % most)}, error);
    fault.for_ever = for_ever;
    const auto outcomes = Job::wait(job_.start("trial"));
    const std::string struck = fault.struck.data();
    const auto what = concat(std::strerror(error), " at operation ", fault.number, " of rank ", victim, ", ", struck);
    ++result.histogram[struck.empty() ? "none: it had ended" : struck];
    result.trials += struck.empty() ? 0 : 1;
    check_ends(outcomes, !for_ever && !struck.ends_with("validation set"), what, result);
    job_.check("trial", outcomes[0].err, /*before=*/6, result);
    for (const auto& recovered : job_.run("trial"))
      if (recovered.code != 0) result.failures.push_back(concat(what, ": it does not recover: ", recovered.err));
    job_.check_equal("whole", "trial", what, result);
    return !struck.empty();
  }

 private:
  static void check_ends(const std::vector<Outcome>& outcomes, bool survives, const std::string& what, Result& result) {
    const bool begun = outcomes[0].err.find(" step 7/") != std::string::npos;
    for (const auto& outcome : outcomes) {
      constexpr std::array kAllowed{ExitCode::ok, ExitCode::no_input, ExitCode::output, ExitCode::io, ExitCode::peer};
      const bool allowed = std::ranges::find(kAllowed, static_cast<ExitCode>(outcome.code)) != kAllowed.end();
      if (!allowed || (begun && survives && outcome.code != 0))
        result.failures.push_back(concat(what, ": ends with ", outcome.code, ": ", outcome.err));
    }
  }

  Job job_{{"train.max_steps=24", "checkpoint.every_steps=3", "checkpoint.keep_last=2", "eval.every_steps=12",
            "log.samples=true"}};
  std::array<int, kRanks> operations_{};
};

}  // namespace

Results io_errors_trainer(const Request& request) {
  Random random(request.seed);
  IoErrorsTrainer trainer;
  Result once{"io-trainer", "once", request.seed}, for_ever{"io-trainer", "for ever", request.seed};
  const auto missing = make_trials(std::max<std::int64_t>(request.count, 2), [&](std::int64_t counted) {
    const bool stays = counted % 2 == 1;
    return trainer.strike(stays, random, stays ? for_ever : once);
  });
  if (missing) once.failures.push_back(*missing);
  return {once, for_ever};
}

}  // namespace peerless::reliability
