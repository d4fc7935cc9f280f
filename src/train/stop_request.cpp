#include "peerless/train/stop_request.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace peerless {
namespace {

struct Handled {
  int signal;
  const char* name;
  struct sigaction before;
};
std::array<Handled, 4> handled{
    {{SIGTERM, "SIGTERM", {}}, {SIGUSR1, "SIGUSR1", {}}, {SIGINT, "SIGINT", {}}, {SIGHUP, "SIGHUP", {}}}};

std::atomic<int> received_signal{0};
std::atomic<bool> interrupted{false};
static_assert(std::atomic<int>::is_always_lock_free && std::atomic<bool>::is_always_lock_free,
              "a signal handler may touch nothing else");

void on_signal(int signal) {
  constexpr int kKilledByInterrupt = 130;
  if (signal == SIGINT && interrupted.exchange(true)) _exit(kKilledByInterrupt);
  received_signal = signal;
}

}  // namespace

StopRequest::StopRequest() {
  received_signal = 0;
  interrupted = false;
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

const char* StopRequest::signal_name() const {
  const int received = received_signal;
  for (const auto& [signal, name, before] : handled)
    if (signal == received) return name;
  return nullptr;
}

}  // namespace peerless
