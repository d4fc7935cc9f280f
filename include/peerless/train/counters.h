// Where a run stands, in numbers that a checkpoint holds.
#pragma once

#include <cstdint>

#include "peerless/train/probation.h"
#include "peerless/train/spike_detector.h"

namespace peerless {

struct Counters {
  std::int64_t step = 0;     // steps done, skipped ones included
  std::int64_t samples = 0;  // trained on, or skipped: the loader's whole position
  std::int64_t tokens = 0;   // unmasked targets trained on, or skipped
  std::int64_t skipped = 0;  // steps without an update, because loss or gradient was not finite
  std::int64_t skipped_in_a_row = 0;
  SpikeDetector spikes;
  Probation probation;

  void count_step(std::int64_t step_samples, std::int64_t step_tokens, bool was_skipped) {
    step += 1;
    samples += step_samples;
    tokens += step_tokens;
    skipped += was_skipped ? 1 : 0;
    skipped_in_a_row = was_skipped ? skipped_in_a_row + 1 : 0;
  }

  State state() {
    State state;
    state.add("train.step", step);
    state.add("train.samples", samples);
    state.add("train.tokens", tokens);
    state.add("train.skipped", skipped);
    state.add("train.skipped_in_a_row", skipped_in_a_row);
    state.add(spikes.state());
    state.add(probation.state());
    return state;
  }
};

}  // namespace peerless
