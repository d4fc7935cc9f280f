// Which checkpoints have proved themselves: one is good when `after` steps in a row have gone well since it was saved.
// One at a time is on trial, the newest one saved when its predecessor passed. It is kept until it passes, however many
// are saved meanwhile. A part of what the run's checkpoints hold: a resumed run judges alike.
//
//   probation.saved(300);
//   if (probation.step_done(step, went_well, 100)) ...    at 400: probation.good() is 300
//
// Why      training that diverges goes back to a good one; what was saved last may have the cause in it
#pragma once

#include <algorithm>
#include <cstdint>
#include <set>

#include "peerless/base/state.h"

namespace peerless {

class Probation {
 public:
  // What a run that never stops would save too.
  void saved(std::int64_t step) {
    newest_ = step;
    if (on_trial_ == kNone) on_trial_ = step;
  }

  // Whether a checkpoint has become good with this step.
  bool step_done(std::int64_t step, bool went_well, std::int64_t after) {
    if (!went_well) last_bad_ = step;
    if (on_trial_ == kNone || step - std::max(on_trial_, last_bad_) < after) return false;
    good_ = on_trial_;
    on_trial_ = newest_ > good_ ? newest_ : kNone;
    return true;
  }

  // The run has gone back to a good one: those after it are gone, and it may do so again.
  void back_to(std::int64_t step) {
    good_ = newest_ = last_bad_ = step;
    on_trial_ = kNone;
  }

  static constexpr std::int64_t kNone = 0;
  std::int64_t good() const { return good_; }
  std::set<std::int64_t> kept() const { return {good_, on_trial_}; }  // what must not be removed

  State state() {
    State state;
    state.add("train.good", good_);
    state.add("train.on_trial", on_trial_);
    state.add("train.newest_saved", newest_);
    state.add("train.last_bad_step", last_bad_);
    return state;
  }

 private:
  std::int64_t good_ = kNone, on_trial_ = kNone, newest_ = kNone, last_bad_ = 0;
};

}  // namespace peerless
