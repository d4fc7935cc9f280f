// An error of the disk at every operation of a training that loads, saves and clears away, until none is hit any more:
// once, for ever, and for ever with half of a write done. A training that cannot begin may end; one that has begun goes
// on after a single error.
#include <cerrno>

#include "tests/reliability/campaign.h"
#include "tests/reliability/small_training.h"
#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless::reliability {
namespace {

struct Kind {
  const char* name;
  Hook (*hook)(int operation, int error);
};

constexpr std::array kKinds{Kind{"once", fail_at}, Kind{"for ever", fail_from}, Kind{"cut short", cut_short_from}};

const char* name_of(int error) {
  switch (error) {
    case EIO:
      return "EIO";
    case ENOSPC:
      return "ENOSPC";
    case EDQUOT:
      return "EDQUOT";
    default:
      return "EROFS";
  }
}

// Two steps are durable; then two more, on a disk that fails.
class Trial {
 public:
  explicit Trial(SaveMode mode) {
    training_.mode = mode;
    training_.loaded = [this] { loaded_at_ = files_.operations(); };
    training_.acknowledge = [this](std::int64_t step) { acknowledged_ = step; };
    train();
  }

  // Whether the error was met at all.
  bool run(const Hook& hook, int operation, bool once, Result& result) {
    files_.arm(hook);
    loaded_at_ = operation;
    const bool ended_well = train();
    const bool met = files_.operations() >= operation;
    if (once && !ended_well && loaded_at_ < operation)
      result.failures.push_back(concat("operation ", operation, ": one error ended the training"));
    files_.arm();
    result.trials += met ? 1 : 0;
    check(memory_, training_.folder, acknowledged_, result);
    if (!train())
      result.failures.push_back(concat("operation ", operation, ": no training on a disk that works again"));
    check(memory_, training_.folder, acknowledged_, result);
    for (const auto& left : memory_.list(training_.folder))
      if (!left.starts_with("step-")) result.failures.push_back(concat("operation ", operation, " leaves ", left));
    return met;
  }

 private:
  bool train() {
    NoPeers alone;
    try {
      live(training_, files_, alone);
      return true;
    } catch (const Error&) {
      return false;
    }
  }

  MemoryFiles memory_;
  FaultyFiles files_{memory_};
  Training training_{.folder = "/run/checkpoints", .saves = 2};
  std::int64_t acknowledged_ = 0;
  int loaded_at_ = 0;
};

}  // namespace

Results io_errors(const Request& request) {
  Results results;
  for (const int error : {EIO, ENOSPC, EDQUOT, EROFS}) {
    for (const auto& kind : kKinds) {
      Result result{"io", concat(name_of(error), " ", kind.name), request.seed};
      for (const SaveMode mode : {SaveMode::sync, SaveMode::async}) {
        bool met = true;
        for (int operation = 1; met; ++operation)
          met = Trial(mode).run(kind.hook(operation, error), operation, kind.hook == fail_at, result);
      }
      results.push_back(std::move(result));
    }
  }
  return results;
}

}  // namespace peerless::reliability
