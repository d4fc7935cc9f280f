#include "peerless/train/stop_request.h"

#include <signal.h>
#include <unistd.h>

#include <array>
#include <atomic>

namespace peerless {
namespace {

constexpr std::array kSignals{SIGTERM, SIGUSR1, SIGINT};
std::atomic<int> received_signal{0};
static_assert(std::atomic<int>::is_always_lock_free, "a signal handler may touch nothing else");
std::array<struct sigaction, kSignals.size()> handlers_before;

void on_signal(int signal) {
  constexpr int kKilledByInterrupt = 130;
  if (signal == SIGINT && received_signal == SIGINT) _exit(kKilledByInterrupt);
  received_signal = signal;
}

}  // namespace

StopRequest::StopRequest() {
  received_signal = 0;
  struct sigaction action {};
  action.sa_handler = on_signal;
  action.sa_flags = SA_RESTART;
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &action, &handlers_before[i]);
}

StopRequest::~StopRequest() {
  for (std::size_t i = 0; i < kSignals.size(); ++i) sigaction(kSignals[i], &handlers_before[i], nullptr);
}

const char* StopRequest::signal_name() const {
  switch (received_signal) {
    case SIGTERM:
      return "SIGTERM";
    case SIGUSR1:
      return "SIGUSR1";
    case SIGINT:
      return "SIGINT";
    default:
      return nullptr;
  }
}

}  // namespace peerless
