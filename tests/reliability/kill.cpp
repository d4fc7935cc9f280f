// kill -9 at every operation of loading, saving and clearing away: of rank 0, of rank 1, of both; saves beside the run
// and within it. A third of the trials is killed once more while it recovers.
#include <algorithm>
#include <functional>

#include "tests/reliability/campaign.h"
#include "tests/reliability/processes.h"
#include "tests/support/temporary_folder.h"

namespace peerless::reliability {
namespace {

namespace fs = std::filesystem;

enum class Victim { rank_0, rank_1, both };
constexpr std::array kVictims{Victim::rank_0, Victim::rank_1, Victim::both};

const char* name_of(Victim victim) {
  return victim == Victim::rank_0 ? "rank 0" : victim == Victim::rank_1 ? "rank 1" : "both";
}
const char* name_of(SaveMode mode) { return enum_names(mode)[static_cast<std::size_t>(mode)].data(); }

struct Point {
  SaveMode mode;
  Victim victim;
  Occasion at;
};

class Kill {
 public:
  // Two checkpoints are there, and acknowledged, before anybody is killed.
  Kill() {
    run(SaveMode::sync, base_, 2, {});
    PEERLESS_CHECK(notes_->acknowledged == 2, "an undisturbed life saved ", notes_->acknowledged.load(), " of 2 steps");
  }

  // Every operation of every victim, once.
  std::vector<Point> every_point() {
    std::vector<Point> points;
    for (const SaveMode mode : {SaveMode::sync, SaveMode::async}) {
      fresh();
      run(mode, trial_, kSaves, {});
      for (const Victim victim : kVictims)
        for (const auto& [label, count] : notes_->operations[victim == Victim::rank_1 ? 1 : 0].by_label())
          for (int i = 1; i <= count; ++i) points.push_back({mode, victim, {label, i}});
    }
    return points;
  }

  // Whether it was met.
  bool strike(const Point& point, bool twice, Random& random, Result& result) {
    fresh();
    run(point.mode, trial_, kSaves, at(point));
    const std::string struck = notes_->struck.data();
    const bool met = struck != "none";
    result.trials += met ? 1 : 0;
    ++result.histogram[struck];
    check(disk(), trial_, notes_->acknowledged, result);
    if (twice) {
      run(point.mode, trial_, kSaves, at({point.mode, Victim::both, {"", static_cast<int>(1 + random() % 60)}}));
      check(disk(), trial_, notes_->acknowledged, result);
    }
    const auto codes = run(point.mode, trial_, kSaves, {});
    if (codes != std::vector{0, 0})
      result.failures.push_back(concat("recovery ends with ", codes[0], " and ", codes[1]));
    check(disk(), trial_, notes_->acknowledged, result);
    for (const auto& left : disk().list(trial_))
      if (!left.starts_with("step-")) result.failures.push_back(concat("recovery leaves ", left));
    return met;
  }

 private:
  static constexpr std::int64_t kSaves = 3;

  void fresh() {
    fs::remove_all(trial_);
    fs::copy(base_, trial_, fs::copy_options::recursive);
    notes_->acknowledged = 2;
    notes_->strike("none");
  }

  HookOf at(const Point& point) {
    return [&, point](std::int64_t rank) -> Hook {
      const bool hit = point.victim == Victim::rank_1 ? rank == 1 : rank == 0;
      if (!hit) return {};
      return [&, point, left = std::make_shared<std::atomic<int>>(point.at.number)](const Operation& operation) {
        const auto here = label(operation);
        if ((!point.at.label.empty() && point.at.label != here) || --*left != 0) return;
        notes_->strike(here);
        if (operation.half && point.at.number % 2 == 0) operation.half();
        ::kill(point.victim == Victim::both ? 0 : ::getpid(), SIGKILL);
        ::pause();
      };
    };
  }

  std::vector<int> run(SaveMode mode, const fs::path& folder, std::int64_t saves, const HookOf& hook_of) {
    return live_as_processes(
        {.folder = folder, .saves = saves, .mode = mode}, *notes_,
        hook_of ? hook_of : [](std::int64_t) { return Hook(); });
  }

  TemporaryFolder folder_;
  fs::path base_ = folder_ / "base", trial_ = folder_ / "checkpoints";
  SharedNotes notes_;
};

}  // namespace

Results kill(const Request& request) {
  Kill kill;
  Random random(request.seed);
  auto points = kill.every_point();
  if (request.count > 0) std::shuffle(points.begin(), points.end(), random);
  std::set<std::string> labels;
  std::stable_partition(points.begin(), points.end(), [&](const Point& point) {  // one of each label comes first
    return labels.insert(point.at.label).second;
  });
  std::map<std::string, Result> results;
  const auto count = request.count > 0 ? request.count : static_cast<std::int64_t>(points.size());
  const auto missing = make_trials(count, [&, next = std::size_t{0}](std::int64_t) mutable {
    const Point& point = points[next++ % points.size()];
    const auto variant = concat(name_of(point.mode), ", ", name_of(point.victim));
    auto& result = results.try_emplace(variant, Result{"kill", variant, request.seed}).first->second;
    return kill.strike(point, random() % 3 == 0, random, result);
  });
  auto all = collect(results, missing);
  if (count >= static_cast<std::int64_t>(labels.size())) expect_faults_at_each(labels, all, std::identity());
  return all;
}

}  // namespace peerless::reliability
