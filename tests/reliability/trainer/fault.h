// The fault that a process of faulty_peerless is to meet, and what it did until then: memory that it shares with the
// one who starts it, in a file.
#pragma once

#include <fcntl.h>
#include <sys/mman.h>
#include <unistd.h>

#include <atomic>
#include <filesystem>
#include <new>
#include <stdexcept>

#include "tests/reliability/campaign.h"

namespace peerless::reliability {

struct Fault {
  static constexpr const char* kVariable = "PEERLESS_TEST_FAULT";  // names the file

  static constexpr pid_t kToBeNamed = -1;
  std::atomic<int> kill_at = 0;         // number of the operation before which the process is killed; 0: none
  std::atomic<pid_t> partner = 0;       // ... together with it; 0: alone; kToBeNamed: the process waits for its number
  std::atomic<int> delay_sync_ms = 0;   // how long each sync of a part of a checkpoint takes
  std::atomic<bool> hold_data = false;  // token shards are not read as long as it is set
  std::atomic<int> operations = 0;      // begun so far
  std::atomic<int> fail_at = 0;         // number of the operation that fails; 0: none
  std::atomic<bool> for_ever = false;   // ... and all after it
  std::atomic<int> error = 0;           // an errno value
  std::array<char, 64> struck{};        // label of the operation before which it was killed, or that failed
};

class SharedFault {
 public:
  explicit SharedFault(const std::filesystem::path& file) {
    const int descriptor = ::open(file.c_str(), O_CREAT | O_RDWR | O_CLOEXEC, 0600);
    if (descriptor < 0 || ::ftruncate(descriptor, sizeof(Fault)) != 0) throw std::runtime_error(file.string());
    void* const memory = ::mmap(nullptr, sizeof(Fault), PROT_READ | PROT_WRITE, MAP_SHARED, descriptor, 0);
    ::close(descriptor);
    if (memory == MAP_FAILED) throw std::runtime_error(file.string());
    fault_ = static_cast<Fault*>(memory);
  }
  ~SharedFault() { ::munmap(fault_, sizeof(Fault)); }
  SharedFault(const SharedFault&) = delete;
  SharedFault& operator=(const SharedFault&) = delete;

  void reset() { new (fault_) Fault; }
  Fault& operator*() const { return *fault_; }
  Fault* operator->() const { return fault_; }

 private:
  Fault* fault_;
};

}  // namespace peerless::reliability
