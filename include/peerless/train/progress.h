// What a person sees of a run: a log line now and then, and on a terminal a line that is rewritten each step.
#pragma once

#include <chrono>
#include <cstdint>
#include <optional>

#include "peerless/train/machine.h"
#include "peerless/train/training_step.h"

namespace peerless {

// The machine's numbers over the steps since the last log line; evaluation and saving are not in them.
struct Performance {
  double tokens_per_second = 0;
  double mfu = 0;  // share of the peak rate
  double step_seconds = 0;
  double data_wait = 0;  // share of the time spent waiting for batches
  std::int64_t resident_bytes = 0;
};

class Progress {
 public:
  Progress(std::int64_t last_step, std::int64_t tokens_per_step, double flops_per_token, PeakRate peak);

  // Times one step: begin, then end with what the loader had waited in all so far.
  void begin_step();
  void end_step(std::int64_t step, const StepReport& report, double data_wait_seconds);

  // The numbers since the last call.
  Performance take();

  void print(std::int64_t step, const StepReport& report, const Performance& performance) const;
  // Clears the rewritten line, so that a log line can follow.
  void clear_line() const;

 private:
  using Clock = std::chrono::steady_clock;
  void rewrite_line(std::int64_t step, const StepReport& report) const;

  std::int64_t last_step_, tokens_per_step_;
  double flops_per_token_;
  PeakRate peak_;
  bool terminal_;
  Clock::time_point step_begin_;
  double busy_seconds_ = 0, waited_seconds_ = 0, waited_before_ = 0;
  std::int64_t steps_ = 0;
  double recent_step_seconds_ = 0;  // smoothed, for the time left
};

}  // namespace peerless
