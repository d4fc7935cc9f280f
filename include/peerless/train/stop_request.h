// SIGTERM, SIGUSR1, SIGUSR2, SIGXCPU, SIGINT (Ctrl-C) and SIGHUP (a lost terminal) ask a run to stop: the current step
// is finished, a checkpoint saved, exit 75. A second Ctrl-C ends the process at once, exit 130.
#pragma once

#include <chrono>
#include <string>

namespace peerless {

// While one lives, those signals set a flag instead of ending the process (SIGHUP not under nohup). One at a time.
class StopRequest {
 public:
  StopRequest();
  ~StopRequest();
  StopRequest(const StopRequest&) = delete;
  StopRequest& operator=(const StopRequest&) = delete;

  bool received() const { return signal_name() != nullptr; }
  const char* signal_name() const;            // "SIGTERM", the newest; null while nobody asked
  std::string who() const;                    // who asks, if one does: that signal, else another process of the run
  std::string text() const;                   // "SIGTERM asks to stop"; after a Ctrl-C also what a second one does
  std::chrono::duration<double> age() const;  // of the first; 0 while nobody asked
};

}  // namespace peerless
