// A kill -9 at any time after a checkpoint was acknowledged, for every kind of job; a third of them is killed once
// more. The end must be that of an undisturbed run, bit for bit.
#include "tests/reliability/trainer/job.h"

namespace peerless::reliability {
namespace {

class Replay {
 public:
  explicit Replay(const test::Variant& variant) : job_(with(variant.settings)) {
    const auto begin = std::chrono::steady_clock::now();
    job_.run("whole", {}, 1);
    seconds_ = std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
  }

  // Whether it came after a checkpoint was acknowledged, and before the end.
  bool strike(Random& random, Result& result) {
    test::fs::remove_all(job_.folder("trial"));
    std::int64_t durable = 0;
    bool hit = false;
    for (int kills = random() % 3 == 0 ? 2 : 1; kills > 0; --kills) {
      const auto process = std::move(job_.start("trial", {}, 1).front());
      const bool saved = process.prints("is durable");
      sleep_for(uniform(random, seconds_ / 2));
      process.signal(SIGKILL);
      const auto outcome = process.wait();
      hit = hit || (saved && outcome.code == 128 + SIGKILL);
      durable = job_.check("trial", outcome.err, durable, result);
    }
    result.trials += hit ? 1 : 0;
    ++result.histogram[hit ? concat("after step ", durable) : "too late"];
    const auto end = job_.run("trial", {}, 1);
    if (end[0].code != 0) result.failures.push_back(concat("it does not recover: ", end[0].err));
    job_.check_equal("whole", "trial", "after a kill", result);
    return hit;
  }

 private:
  static Settings with(Settings settings) {
    settings.insert(settings.end(), {"train.max_steps=40", "checkpoint.every_steps=7", "train.global_batch_size=16"});
    return settings;
  }
  Job job_;
  double seconds_;
};

}  // namespace

Results replay(const Request& request) {
  Random random(request.seed);
  const auto kinds = static_cast<std::int64_t>(test::kVariants.size());
  const auto count = request.count > 0 ? request.count : kinds;
  Results results;
  for (std::int64_t kind = 0; kind < std::min(kinds, count); ++kind) {
    const auto& variant = test::kVariants[static_cast<std::size_t>(kind)];
    auto& result = results.emplace_back("replay", variant.name, request.seed);
    Replay job(variant);
    const auto trials = count / kinds + (kind < count % kinds ? 1 : 0);
    const auto missing = make_trials(trials, [&](std::int64_t) { return job.strike(random, result); });
    if (missing) result.failures.push_back(*missing);
  }
  return results;
}

}  // namespace peerless::reliability
