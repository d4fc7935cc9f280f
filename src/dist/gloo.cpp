#include <sched.h>

#include <torch/csrc/distributed/c10d/ProcessGroupGloo.hpp>

#include "src/dist/process_group.h"

namespace peerless {
namespace {

// Threads made while it lives take no processor from others that are at work.
class BatchThreads {
 public:
  BatchThreads() : before_(::sched_getscheduler(0)) {
    if (before_ == SCHED_OTHER) set(SCHED_BATCH);
  }
  ~BatchThreads() {
    if (before_ == SCHED_OTHER) set(SCHED_OTHER);
  }
  BatchThreads(const BatchThreads&) = delete;
  BatchThreads& operator=(const BatchThreads&) = delete;

 private:
  static void set(int policy) {
    const sched_param no_priority{};
    ::sched_setscheduler(0, policy, &no_priority);  // where it may not: slower
  }

  int before_;
};

// A device's thread skips a connection that another thread has locked, and looks again at once. Where processors are
// few it is woken in place of that very thread, and keeps it from unlocking: steps of 4 ms took 14.
auto make_device(const std::string& address) {
  const BatchThreads batch_threads;
  return c10d::ProcessGroupGloo::createDeviceForHostname(address);
}

}  // namespace

Backend make_gloo(const Store& store, std::int64_t rank, std::int64_t world_size, const std::string& address,
                  std::chrono::milliseconds timeout) {
  auto options = c10d::ProcessGroupGloo::Options::create(timeout);
  options->devices.push_back(make_device(address));
  return c10::make_intrusive<c10d::ProcessGroupGloo>(store, static_cast<int>(rank), static_cast<int>(world_size),
                                                     std::move(options));
}

}  // namespace peerless
