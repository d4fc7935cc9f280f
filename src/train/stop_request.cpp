#include "peerless/train/stop_request.h"

#include <signal.h>
#include <time.h>
#include <unistd.h>

#include <array>
#include <atomic>

#include "peerless/base/text.h"

namespace peerless {
namespace {

struct Handled {
  int signal;
  const char* name;
  struct sigaction before;
};
std::array<Handled, 6> handled{{{SIGTERM, "SIGTERM", {}},
                                {SIGUSR1, "SIGUSR1", {}},
                                {SIGUSR2, "SIGUSR2", {}},
                                {SIGXCPU, "SIGXCPU", {}},
                                {SIGINT, "SIGINT", {}},
                                {SIGHUP, "SIGHUP", {}}}};

std::atomic<int> received_signal{0};
std::atomic<bool> interrupted{false};
std::atomic<std::int64_t> first_at{0};  // nanoseconds of the monotonic clock
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free &&
                  std::atomic<std::int64_t>::is_always_lock_free,
              "a signal handler may touch nothing else");

std::int64_t now() {
  timespec time{};
  clock_gettime(CLOCK_MONOTONIC, &time);
  return std::int64_t{time.tv_sec} * 1'000'000'000 + time.tv_nsec;
}

void on_signal(int signal) {
  constexpr int kKilledByInterrupt = 130;
  if (signal == SIGINT && interrupted.exchange(true)) _exit(kKilledByInterrupt);
  if (received_signal.exchange(signal) == 0) first_at = now();
}

}  // namespace

StopRequest::StopRequest() {
  received_signal = 0;
  interrupted = false;
  first_at = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (auto& [signal, name, before] : handled) {
    sigaction(signal, &action, &before);
    const bool under_nohup = signal == SIGHUP && before.sa_handler == SIG_IGN;
    if (under_nohup) sigaction(signal, &before, nullptr);
  }
}

StopRequest::~StopRequest() {
  for (const auto& [signal, name, before] : handled) sigaction(signal, &before, nullptr);
}

std::string StopRequest::who() const { return received() ? signal_name() : "another process"; }

std::string StopRequest::text() const {
  return concat(who(), " asks to stop", received_signal == SIGINT ? " (a second Ctrl-C ends it at once)" : "");
}

std::chrono::duration<double> StopRequest::age() const {
  const std::int64_t first = first_at;
  return std::chrono::nanoseconds(received() && first > 0 ? now() - first : 0);
}

const char* StopRequest::signal_name() const {
  const int received = received_signal;
  for (const auto& [signal, name, before] : handled)
    if (signal == received) return name;
  return nullptr;
}

}  // namespace peerless
