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

#include "tests/reliability/labels.h"

namespace peerless::reliability {

struct Fault {
  static constexpr const char* kVariable = "PEERLESS_TEST_FAULT";  // names the file

  enum class Kind { kill, error, signal };
  // Comes before that operation: an error is an errno value, a signal its number.
  void aim(Kind what, const Occasion& when, int which = 0) {
    kind = what;
    when.label.copy(label.data(), label.size() - 1);
    number = when.number;
    value = which;
  }

  static constexpr pid_t kToBeNamed = -1;
  Kind kind = Kind::kill;
  std::array<char, 64> label{};  // of the operations that are counted; empty: all
  int number = 0;                // of the operation before which it comes; 0: none
  int value = 0;
  bool for_ever = false;                // of an error: all operations after it fail too
  std::atomic<pid_t> partner = 0;       // is killed too; 0: none; kToBeNamed: the process waits for its number
  std::atomic<int> delay_sync_ms = 0;   // how long each sync of a part of a checkpoint takes
  std::atomic<int> delay_read_ms = 0;   // how long the next read of a manifest takes; then 0 again
  std::atomic<bool> hold_data = false;  // training data are not read as long as it is set
  Tally operations;                     // but for those on training data, which are read ahead
  std::array<char, 64> struck{};        // label of the operation before which the fault came
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
