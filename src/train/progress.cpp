#include "peerless/train/progress.h"

#include <unistd.h>

#include <cmath>
#include <cstdio>

#include "peerless/base/log.h"

namespace peerless {
namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  char line[256];
  std::snprintf(line, sizeof line, pattern, values...);
  return line;
}

std::string duration(double seconds) {
  const auto s = static_cast<long>(std::llround(seconds));
  return s < 3600 ? format("%ld:%02ld", s / 60, s % 60) : format("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

std::string learning(std::int64_t step, std::int64_t last_step, const StepReport& r) {
  auto line = format("step %lld/%lld  loss %.4f  lr %.3g  norm %.3g", static_cast<long long>(step),
                     static_cast<long long>(last_step), r.loss, r.lr, r.grad_norm);
  if (r.rows_touched > 0) line += format(" tables %.3g", r.table_grad_norm);
  if (r.skipped) line += "  SKIPPED: not finite";
  return line;
}

}  // namespace

Progress::Progress(std::int64_t last_step, std::int64_t tokens_per_step, double flops_per_token, PeakRate peak)
    : last_step_(last_step),
      tokens_per_step_(tokens_per_step),
      flops_per_token_(flops_per_token),
      peak_(std::move(peak)),
      terminal_(isatty(STDERR_FILENO) == 1) {}

void Progress::begin_step() { step_begin_ = Clock::now(); }

void Progress::end_step(std::int64_t step, const StepReport& report, double data_wait_seconds) {
  const double seconds = std::chrono::duration<double>(Clock::now() - step_begin_).count();
  busy_seconds_ += seconds;
  waited_seconds_ += data_wait_seconds - waited_before_;
  waited_before_ = data_wait_seconds;
  ++steps_;
  recent_step_seconds_ = recent_step_seconds_ == 0 ? seconds : 0.9 * recent_step_seconds_ + 0.1 * seconds;
  if (terminal_) rewrite_line(step, report);
}

Performance Progress::take() {
  Performance p;
  p.resident_bytes = resident_bytes();
  if (steps_ > 0) {
    p.step_seconds = busy_seconds_ / static_cast<double>(steps_);
    p.tokens_per_second = static_cast<double>(tokens_per_step_) / p.step_seconds;
    p.mfu = p.tokens_per_second * flops_per_token_ / peak_.flops_per_second;
    p.data_wait = waited_seconds_ / busy_seconds_;
  }
  busy_seconds_ = waited_seconds_ = 0;
  steps_ = 0;
  return p;
}

void Progress::print(std::int64_t step, const StepReport& report, const Performance& p) const {
  clear_line();
  const double left = recent_step_seconds_ * static_cast<double>(last_step_ - step);
  log::info(learning(step, last_step_, report),
            format("  %.0f tok/s  mfu %.1f%%  data %.1f%%  mem ", p.tokens_per_second, 100 * p.mfu, 100 * p.data_wait),
            human_bytes(static_cast<double>(p.resident_bytes)), "  eta ", duration(left));
}

void Progress::rewrite_line(std::int64_t step, const StepReport& report) const {
  constexpr int kWidth = 24;
  const auto done = static_cast<int>(kWidth * step / last_step_);
  const double left = recent_step_seconds_ * static_cast<double>(last_step_ - step);
  const auto line = format("[%s%s] ", std::string(static_cast<std::size_t>(done), '#').c_str(),
                           std::string(static_cast<std::size_t>(kWidth - done), '.').c_str());
  std::fprintf(stderr, "\r\033[K%s%s  %.0f tok/s  eta %s", line.c_str(), learning(step, last_step_, report).c_str(),
               static_cast<double>(tokens_per_step_) / recent_step_seconds_, duration(left).c_str());
  std::fflush(stderr);
}

void Progress::clear_line() const {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

}  // namespace peerless
