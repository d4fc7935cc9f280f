// One run of two processes for minutes, of which one or both are killed every 20 seconds on average, and started again,
// until it comes to its end: that of a run beside it that nobody disturbs.
#include "tests/reliability/trainer/job.h"

namespace peerless::reliability {
namespace {

constexpr double kMeanSeconds = 20;

// Steps a second while two such runs go on at once.
double rate(Job& job) {
  constexpr int kSteps = 300;
  const auto a = job.start("probe-a", {concat("train.stop_at=", kSteps)}),
             b = job.start("probe-b", {concat("train.stop_at=", kSteps)});
  const auto begin = std::chrono::steady_clock::now();
  Job::wait(a), Job::wait(b);
  return kSteps / std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Results soak(const Request& request) {
  Random random(request.seed);
  Result result{"soak", concat(request.minutes, " minutes"), request.seed};
  const Settings common{"train.max_steps=1000000",    "schedule={kind: constant, warmup: 4}",
                        "checkpoint.every_steps=100", "checkpoint.keep_last=2",
                        "eval.every_steps=1000",      "log.every_steps=50"};
  Job probe(common);
  const auto steps = static_cast<std::int64_t>(rate(probe) * 60 * request.minutes);
  Job job(common);
  const Settings end{concat("train.stop_at=", steps)};
  const auto undisturbed = job.start("whole", end);
  std::int64_t durable = 0;
  for (bool done = false; !done;) {
    const auto processes = job.start("trial", end);
    const double seconds = std::exponential_distribution<>(1 / kMeanSeconds)(random);
    if (durable == 0) processes[0].prints("is durable");  // before that there is nothing to lose
    const auto until = std::chrono::steady_clock::now() + std::chrono::duration<double>(seconds);
    while (!processes[0].ended() && std::chrono::steady_clock::now() < until) sleep_for(0.05);
    const bool strikes = !processes[0].ended();
    const auto victim = random() % 3;
    for (std::size_t r = 0; strikes && r < kRanks; ++r)
      if (victim == 2 || r == victim) processes[r].signal(SIGKILL);
    const auto outcomes = Job::wait(processes);
    durable = job.check("trial", outcomes[0].err, durable, result);
    if (strikes) {
      ++result.trials;
      ++result.histogram[victim == 2 ? "both" : concat("rank ", victim)];
    }
    done = std::ranges::all_of(outcomes, [](const auto& outcome) { return outcome.code == 0; });
    if (!strikes && !done) {
      result.failures.push_back(concat("it ends by itself: ", outcomes[0].err));
      done = true;
    }
  }
  for (const auto& outcome : Job::wait(undisturbed))
    if (outcome.code != 0) result.failures.push_back(concat("the undisturbed run fails: ", outcome.err));
  job.check_equal("whole", "trial", concat("after ", result.trials, " kills"), result);
  return {result};
}

}  // namespace peerless::reliability
