// A small job of two processes that train together, and what must hold after any end of it.
#pragma once

#include <sys/types.h>

#include <algorithm>
#include <cstdlib>
#include <nlohmann/json.hpp>
#include <random>
#include <regex>

#include "peerless/checkpoint/checkpoint_folder.h"
#include "peerless/checkpoint/diff.h"
#include "tests/cli/small_job.h"
#include "tests/cli/variants.h"
#include "tests/reliability/campaign.h"
#include "tests/reliability/trainer/fault.h"

namespace peerless::reliability {

using Settings = std::vector<std::string>;
using test::Outcome;
using test::Process;

constexpr int kRanks = 2;

constexpr const char* kGoingBack = "going back to step ";

// The newest step that process 0 has called durable, in its log or in status.json, since the run last went back. It
// begins at `before`, which earlier lives had made durable.
inline std::int64_t acknowledged(const std::string& log, const test::fs::path& run, std::int64_t before = 0) {
  std::int64_t step = before;
  static const std::regex line(concat("checkpoint of step ([0-9]+) is durable|", kGoingBack, "([0-9]+)"));
  for (std::sregex_iterator it(log.begin(), log.end(), line), end; it != end; ++it)
    step = (*it)[2].matched ? std::stoll((*it)[2]) : std::max<std::int64_t>(step, std::stoll((*it)[1]));
  const auto status = nlohmann::json::parse(test::content(run / "status.json"), nullptr, /*allow_exceptions=*/false);
  return status.is_object() ? std::max(step, status.value("durable", std::int64_t{0})) : step;
}

class Job {
 public:
  // What all its runs have in common.
  explicit Job(Settings settings) : settings_(std::move(settings)) {}

  // A life of a run, as two processes or one.
  std::vector<Process> start(const std::string& name, const Settings& more = {}, int processes = kRanks) {
    aside_at_start_[name] = set_aside(name);
    Settings all = settings_;
    all.insert(all.end(), more.begin(), more.end());
    all.emplace_back("train.max_restarts=100000");
    all.emplace_back("parallel.timeout_seconds=6");  // for one that dies before they have met
    all.emplace_back("train.threads=1");
    const auto meeting = concat("file:meeting-", ++meetings_);
    std::vector<Process> started;
    for (int rank = 0; rank < processes; ++rank) {
      auto own = all;
      if (processes > 1)
        for (const auto& flag :
             {concat("--rank=", rank), concat("--world-size=", processes), concat("--local-rank=", rank),
              concat("--local-size=", processes), concat("--rendezvous=", meeting)})
          own.push_back(flag);
      ::setenv(Fault::kVariable, fault_file(rank).c_str(), 1);
      started.push_back(job_.start(name, own, "faulty_peerless"));
    }
    return started;
  }
  static std::vector<Outcome> wait(const std::vector<Process>& processes) {
    std::vector<Outcome> outcomes;
    for (const auto& process : processes) outcomes.push_back(process.wait());
    return outcomes;
  }
  std::vector<Outcome> run(const std::string& name, const Settings& more = {}, int processes = kRanks) {
    no_faults();
    return wait(start(name, more, processes));
  }
  void no_faults() {
    for (auto& fault : faults_) fault.reset();
  }
  Fault& fault(int rank) { return *faults_[static_cast<std::size_t>(rank)]; }

  test::fs::path folder(const std::string& name) const { return job_.of_run(name); }
  void copy(const std::string& from, const std::string& to) const {
    test::fs::remove_all(folder(to));
    test::fs::copy(folder(from), folder(to), test::fs::copy_options::recursive);
  }

  // A trial's verdict, once a life has ended whose process 0 wrote `log`: the newest checkpoint is at least as new as
  // what was acknowledged, unless the run was just going back. Returns the step that the next life must not lose.
  std::int64_t check(const std::string& name, const std::string& log, std::int64_t before, Result& result) const {
    const auto step = acknowledged(log, folder(name), before);
    try {
      const auto newest = CheckpointFolder(disk(), folder(name) / "checkpoints").newest_intact();
      const auto found = newest ? newest->info().step : 0;
      if (found < step && is_going_back_from(step, name, log)) return found;
      if (found < step) ++result.lost;
    } catch (const Error& error) {
      ++result.unloadable;
      result.failures.emplace_back(error.what());
    }
    return step;
  }
  // Whether two runs that have ended are the same, bit for bit.
  void check_equal(const std::string& a, const std::string& b, const std::string& when, Result& result) const {
    const auto last = [&](const std::string& name) {
      return *CheckpointFolder(disk(), folder(name) / "checkpoints").newest_intact();
    };
    const auto differences = diff(last(a), last(b), {"run", "checkpoint.mode", "train.max_rollbacks"});
    if (!differences.empty()) result.failures.push_back(concat(when, ": ", differences.front()));
    if (job_.metrics(a) != job_.metrics(b)) result.failures.push_back(when + ": other metrics");
  }

 private:
  // Checkpoints that lie aside because their run went back from them.
  std::vector<std::string> set_aside(const std::string& name) const {
    const auto checkpoints = folder(name) / "checkpoints";
    if (!exists(disk(), checkpoints)) return {};
    auto names = disk().list(checkpoints);
    std::erase_if(names, [](const auto& entry) { return !entry.starts_with("aside-"); });
    return names;
  }
  // Whether the life set that checkpoint aside without having said yet that it goes back. One that it set aside for an
  // earlier rollback, or that lay there before, is no excuse.
  bool is_going_back_from(std::int64_t step, const std::string& name, const std::string& log) const {
    const auto& before = aside_at_start_.at(name);
    const auto last_said = log.rfind(kGoingBack);
    return std::ranges::any_of(set_aside(name), [&](const auto& entry) {
      const bool is_older = std::ranges::find(before, entry) != before.end() ||
                            (last_said != std::string::npos && log.find(entry) < last_said);
      return entry.ends_with(step_name(step)) && !is_older;
    });
  }
  std::string fault_file(int rank) const { return (job_.folder() / concat("fault-", rank)).string(); }

  test::SmallJob job_;
  Settings settings_;
  int meetings_ = 0;
  std::map<std::string, std::vector<std::string>> aside_at_start_;  // by run: as its newest life began
  std::array<SharedFault, kRanks> faults_{SharedFault(fault_file(0)), SharedFault(fault_file(1))};
};

inline void sleep_for(double seconds) { std::this_thread::sleep_for(std::chrono::duration<double>(seconds)); }
inline double uniform(Random& random, double most) { return std::uniform_real_distribution<>(0, most)(random); }

Results kill_trainer(const Request& request);
Results io_errors_trainer(const Request& request);
Results replay(const Request& request);
Results signals(const Request& request);
Results soak(const Request& request);
Results non_finite(const Request& request);

}  // namespace peerless::reliability
