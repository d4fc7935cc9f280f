// Errors of the disk in whole trainings of two processes: at one of the operations of either, once or for ever. A
// training that has begun goes on after a single error; and whatever happened, on a disk that works again it ends as an
// undisturbed one.
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
    for (int r = 0; r < kRanks; ++r) operations_[static_cast<std::size_t>(r)] = job_.fault(r).operations;
  }

  void strike(bool for_ever, Random& random, Result& result) {
    constexpr std::array kErrors{EIO, ENOSPC, EDQUOT, EROFS};
    const int victim = static_cast<int>(random() % kRanks);
    job_.copy("base", "trial");
    job_.no_faults();
    auto& fault = job_.fault(victim);
    fault.error = kErrors[random() % kErrors.size()];
    fault.for_ever = for_ever;
    fault.fail_at =
        static_cast<int>(1 + random() % static_cast<std::uint64_t>(operations_[static_cast<std::size_t>(victim)]));
    const auto outcomes = Job::wait(job_.start("trial"));
    const std::string struck = fault.struck.data();
    const auto what =
        concat(std::strerror(fault.error), " at operation ", fault.fail_at.load(), " of rank ", victim, ", ", struck);
    ++result.histogram[struck.empty() ? "none: it had ended" : struck];
    result.trials += struck.empty() ? 0 : 1;
    check_ends(outcomes, for_ever, what, result);
    job_.check("trial", std::max<std::int64_t>(6, acknowledged(outcomes[0].err, job_.folder("trial"))), result);
    for (const auto& recovered : job_.run("trial"))
      if (recovered.code != 0) result.failures.push_back(concat(what, ": it does not recover: ", recovered.err));
    job_.check_equal("whole", "trial", what, result);
  }

 private:
  static void check_ends(const std::vector<Outcome>& outcomes, bool for_ever, const std::string& what, Result& result) {
    const bool begun = outcomes[0].err.find(" step 7/") != std::string::npos;
    for (const auto& outcome : outcomes) {
      constexpr std::array kAllowed{ExitCode::ok, ExitCode::no_input, ExitCode::output, ExitCode::io, ExitCode::peer};
      const bool allowed = std::ranges::find(kAllowed, static_cast<ExitCode>(outcome.code)) != kAllowed.end();
      if (!allowed || (begun && !for_ever && outcome.code != 0))
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
  for (std::int64_t i = 0; i < std::max<std::int64_t>(request.count, 2); ++i)
    trainer.strike(i % 2 == 1, random, i % 2 == 1 ? for_ever : once);
  return {once, for_ever};
}

}  // namespace peerless::reliability
