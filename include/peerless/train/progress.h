// What a person sees of a run: a log line now and then, and on a terminal a line that is rewritten each step.
#pragma once

#include <chrono>
#include <cstdint>
#include <functional>
#include <string>

#include "peerless/train/machine.h"
#include "peerless/train/training_step.h"

namespace peerless {

// The machine's numbers over some steps; evaluation and saving are not in them.
struct Performance {
  double tokens_per_second = 0;
  double mfu = 0;  // share of the peak rate
  double step_seconds = 0;
  double data_wait = 0;     // share of the time spent waiting for batches
  double save_seconds = 0;  // for which saves kept the next step from beginning
  std::int64_t memory = 0;  // bytes: memory_in_use of the device
};

struct ProgressOptions {
  std::int64_t last_step;
  std::int64_t tokens_per_step;
  double flops_per_token;
  double peak_flops_per_second;
  at::Device device;
  bool silent = false;  // another process shows it
};

class Progress {
 public:
  explicit Progress(const ProgressOptions& options);

  // Times one step: each with what the loader has waited in all so far.
  void begin_step(double data_wait_seconds);
  void end_step(std::int64_t step, const StepReport& report, double data_wait_seconds);
  // Times what keeps the next step from beginning.
  void time_save(const std::function<void()>& save);

  // The numbers since the last call.
  Performance take();

  // `routing`: how the step's tokens spread over experts, of all layers; the line has the worst of each.
  void print(std::int64_t step, const StepReport& report, const Performance& performance, const Figures& routing) const;
  // Clears the rewritten line, so that a log line can follow.
  void clear_line() const;

 private:
  using Clock = std::chrono::steady_clock;
  // Wall time of steps, and what of it was waiting.
  struct Times {
    double steps = 0, seconds = 0, waited = 0;
  };
  Performance performance(const Times& times) const;
  std::string line(std::int64_t step, const StepReport& report, const Performance& performance) const;
  std::string time_left(std::int64_t step) const;
  void rewrite_line(std::int64_t step, const StepReport& report) const;

  ProgressOptions options_;
  bool terminal_;
  Clock::time_point step_begin_;
  double waited_before_ = 0;
  Times since_taken_;
  double saving_ = 0;
  Times recent_;  // fading: for the rewritten line and the time left, which is that of the steps alone
};

}  // namespace peerless
