// When checkpoints are saved, and how many stay.
#pragma once

#include <array>
#include <cstdint>
#include <string_view>

#include "peerless/config/duration.h"
#include "peerless/config/field.h"

namespace peerless {

enum class SaveMode { async, sync };
constexpr std::array<std::string_view, 2> enum_names(SaveMode) { return {"async", "sync"}; }

struct CheckpointConfig {
  Duration every_steps = Duration::of_steps(100);
  std::int64_t keep_last = 3;  // at least 2: one alone may turn out to be damaged
  SaveMode mode = SaveMode::async;
  std::int64_t max_failed_saves = 3;
  std::int64_t good_after = 100;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("every_steps", c.every_steps, Any{}, "steps between checkpoints; 0: only one, at the end");
    visit(
        "keep_last", c.keep_last, AtLeast{2},
        "intact checkpoints to keep, beside the newest good one and one on trial; older ones are removed after a save");
    visit("mode", c.mode, Any{},
          "async: training goes on while a copy of the state is written, which takes memory for it; sync: it waits");
    visit("max_failed_saves", c.max_failed_saves, AtLeast{1},
          "end the run (exit 74) when so many saves in a row have failed");
    visit(
        "good_after", c.good_after, AtLeast{1},
        "a checkpoint is good when so many steps in a row have gone well since; the newest good one is never removed");
  }
  bool operator==(const CheckpointConfig&) const = default;
};

}  // namespace peerless
