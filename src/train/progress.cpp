#include "peerless/train/progress.h"

#include <sys/ioctl.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <cstdio>
#include <utility>

#include "peerless/base/log.h"

namespace peerless {
namespace {

template <class... Values>
std::string format(const char* pattern, Values... values) {
  std::array<char, 256> text;
  std::snprintf(text.data(), text.size(), pattern, values...);
  return text.data();
}

std::string duration(double seconds) {
  const auto s = static_cast<long>(std::llround(seconds));
  return s < 3600 ? format("%ld:%02ld", s / 60, s % 60) : format("%ld:%02ld:%02ld", s / 3600, s / 60 % 60, s % 60);
}

std::size_t terminal_width() {
  winsize size{};
  constexpr std::size_t kUsual = 80;
  return ioctl(STDERR_FILENO, TIOCGWINSZ, &size) == 0 && size.ws_col > 0 ? size.ws_col : kUsual;
}

// The worst layer's fullest expert, as a multiple of the mean, and its share of experts without a token.
std::string loads(const Figures& routing) {
  double fullest = 0, unused = 0;
  for (const auto& [name, value] : routing) {
    if (name.ends_with(".load_max")) fullest = std::max(fullest, value);
    if (name.ends_with(".load_unused")) unused = std::max(unused, value);
  }
  return fullest > 0 ? format("  load max %.2f unused %.1f%%", fullest, 100 * unused) : "";
}

double seconds_since(std::chrono::steady_clock::time_point begin) {
  return std::chrono::duration<double>(std::chrono::steady_clock::now() - begin).count();
}

}  // namespace

Progress::Progress(const ProgressOptions& options)
    : options_(options), terminal_(!options.silent && isatty(STDERR_FILENO) == 1) {}

void Progress::begin_step(double data_wait_seconds) {
  step_begin_ = Clock::now();
  waited_before_ = data_wait_seconds;
}

void Progress::end_step(std::int64_t step, const StepReport& report, double data_wait_seconds) {
  constexpr double kFading = 0.9;
  const double seconds = seconds_since(step_begin_);
  const double waited = data_wait_seconds - waited_before_;
  since_taken_ = {since_taken_.steps + 1, since_taken_.seconds + seconds, since_taken_.waited + waited};
  recent_ = {kFading * recent_.steps + 1, kFading * recent_.seconds + seconds, kFading * recent_.waited + waited};
  if (terminal_) rewrite_line(step, report);
}

void Progress::time_save(const std::function<void()>& save) {
  const auto begin = Clock::now();
  save();
  saving_ += seconds_since(begin);
}

Performance Progress::performance(const Times& times) const {
  Performance p;
  p.memory = memory_in_use(options_.device);
  if (times.steps == 0) return p;
  p.step_seconds = times.seconds / times.steps;
  p.tokens_per_second = static_cast<double>(options_.tokens_per_step) / p.step_seconds;
  p.mfu = p.tokens_per_second * options_.flops_per_token / options_.peak_flops_per_second;
  p.data_wait = times.waited / times.seconds;
  return p;
}

Performance Progress::take() {
  Performance p = performance(since_taken_);
  p.save_seconds = std::exchange(saving_, 0);
  since_taken_ = {};
  return p;
}

std::string Progress::line(std::int64_t step, const StepReport& r, const Performance& p) const {
  auto line = format("step %lld/%lld  loss %.4f  lr %.3g  norm %.3g", static_cast<long long>(step),
                     static_cast<long long>(options_.last_step), r.loss, r.lr, r.grad_norm);
  if (r.rows_touched > 0) line += format(" tables %.3g", r.table_grad_norm);
  if (r.skipped) line += "  SKIPPED: not finite";
  return line +
         format("  %.0f tok/s  mfu %.1f%%  data %.1f%%  mem ", p.tokens_per_second, 100 * p.mfu, 100 * p.data_wait) +
         human_bytes(static_cast<double>(p.memory));
}

std::string Progress::time_left(std::int64_t step) const {
  if (recent_.steps == 0) return "unknown";
  return duration(recent_.seconds / recent_.steps * static_cast<double>(options_.last_step - step));
}

void Progress::print(std::int64_t step, const StepReport& report, const Performance& performance,
                     const Figures& routing) const {
  clear_line();
  log::info(line(step, report, performance), loads(routing), "  eta ", time_left(step));
}

// A bar and the line, cut to the terminal's width: a wrapped line could not be rewritten.
void Progress::rewrite_line(std::int64_t step, const StepReport& report) const {
  constexpr std::int64_t kBar = 16;
  const auto done = static_cast<std::size_t>(kBar * step / options_.last_step);
  auto text = concat("[", std::string(done, '#'), std::string(kBar - done, '.'), "] eta ", time_left(step), "  ",
                     line(step, report, performance(recent_)));
  text.resize(std::min(text.size(), terminal_width() - 1));
  std::fprintf(stderr, "\r\033[K%s", text.c_str());
  std::fflush(stderr);
}

void Progress::clear_line() const {
  if (terminal_) std::fputs("\r\033[K", stderr);
}

}  // namespace peerless
