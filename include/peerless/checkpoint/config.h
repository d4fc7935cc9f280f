// When checkpoints are saved, and how many stay.
#pragma once

#include <cstdint>

#include "peerless/config/duration.h"
#include "peerless/config/field.h"

namespace peerless {

struct CheckpointConfig {
  Duration every_steps = Duration::of_steps(100);
  std::int64_t keep_last = 3;  // at least 2: one alone may turn out to be damaged

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("every_steps", c.every_steps, Any{}, "steps between checkpoints; 0: only one, at the end");
    visit("keep_last", c.keep_last, AtLeast{2}, "intact checkpoints to keep; older ones are removed after a save");
  }
  bool operator==(const CheckpointConfig&) const = default;
};

}  // namespace peerless
