// When and how much a run validates.
#pragma once

#include "peerless/config/duration.h"
#include "peerless/config/field.h"

namespace peerless {

struct EvalConfig {
  Duration every_steps = Duration::of_steps(100);
  std::int64_t max_batches = 0;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("every_steps", c.every_steps, Any{}, "steps between validations; one more follows the last step; 0: never");
    visit("max_batches", c.max_batches, AtLeast{0} && AtMost{1 << 30},
          "batches of each set to stop after; 0: the whole set");
  }
  bool operator==(const EvalConfig&) const = default;
};

}  // namespace peerless
