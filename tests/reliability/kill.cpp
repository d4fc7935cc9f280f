// kill -9 at every operation of loading, saving and clearing away: of rank 0, of rank 1, of both; saves beside the run
// and within it. A third of the trials is killed once more while it recovers.
#include <algorithm>

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
  int operation;
};

class Kill {
 public:
  // Two checkpoints are there, and acknowledged, before anybody is killed.
  Kill() { run(SaveMode::sync, base_, 2, {}); }

  // Every operation of every victim, once.
  std::vector<Point> every_point() {
    std::vector<Point> points;
    for (const SaveMode mode : {SaveMode::sync, SaveMode::async}) {
      fresh();
      run(mode, trial_, kSaves, {});
      const std::array<int, kProcesses> counts{notes_->operations[0], notes_->operations[1]};
      for (const Victim victim : kVictims)
        for (int i = 1; i <= counts[victim == Victim::rank_1 ? 1 : 0]; ++i) points.push_back({mode, victim, i});
    }
    return points;
  }

  void strike(const Point& point, bool twice, Random& random, Result& result) {
    fresh();
    run(point.mode, trial_, kSaves, at(point));
    const std::string struck = notes_->struck.data();
    result.trials += struck == "none" ? 0 : 1;
    ++result.histogram[struck];
    check(disk(), trial_, notes_->acknowledged, result);
    if (twice) {
      run(point.mode, trial_, kSaves, at({point.mode, Victim::both, static_cast<int>(1 + random() % 60)}));
      check(disk(), trial_, notes_->acknowledged, result);
    }
    const auto codes = run(point.mode, trial_, kSaves, {});
    if (codes != std::vector{0, 0})
      result.failures.push_back(concat("recovery ends with ", codes[0], " and ", codes[1]));
    check(disk(), trial_, notes_->acknowledged, result);
    for (const auto& left : disk().list(trial_))
      if (!left.starts_with("step-")) result.failures.push_back(concat("recovery leaves ", left));
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
      return [&, point](const Operation& operation) {
        if (operation.number != point.operation) return;
        notes_->strike(label(operation));
        if (operation.half && point.operation % 2 == 0) operation.half();
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
  const auto count = request.count > 0 ? static_cast<std::size_t>(request.count) : points.size();
  std::map<std::string, Result> results;
  for (std::size_t i = 0; i < count; ++i) {
    const Point& point = points[i % points.size()];
    const auto variant = concat(name_of(point.mode), ", ", name_of(point.victim));
    auto& result = results.try_emplace(variant, Result{"kill", variant, request.seed}).first->second;
    kill.strike(point, random() % 3 == 0, random, result);
  }
  Results all;
  for (auto& [variant, result] : results) all.push_back(std::move(result));
  return all;
}

}  // namespace peerless::reliability
