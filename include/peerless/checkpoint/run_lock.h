// Keeps a run's folder to one process.
//
// The system's lock on .lock ends with its process. On local disks, NFS and most others it is all that is needed; but
// some shared file systems have no locks, and some enforce them only among processes of one host. So the holder also
// writes its name into .owner, and a byte more every `beat`. Who finds there the name of a process of another host
// waits for `patience`: a file that grows is a living one's, another is taken over. A holder that was taken for dead
// finds another's name in the file, and check() says so.
//
// Errors   Error(output), which names the holder; Error(preempted), where asked to stop meanwhile; IoError
// Threads  any; one of its own writes
#pragma once

#include <atomic>
#include <chrono>
#include <condition_variable>
#include <cstdint>
#include <filesystem>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

#include "peerless/base/files.h"

namespace peerless {

struct LockTiming {
  std::chrono::milliseconds beat{10'000};
  std::chrono::milliseconds patience{45'000};
};

// Whether this process is asked to stop.
using Stopped = std::function<bool()>;

class RunLock {
 public:
  // `machine` tells those apart that do not see each other's locks; `holder` is for people. Who is `stopped` does not
  // wait for another to show whether it lives.
  RunLock(
      Files& files, std::filesystem::path folder, const std::string& machine, const std::string& holder,
      LockTiming timing = {}, const Stopped& stopped = [] { return false; });
  ~RunLock();  // the next one need not wait
  RunLock(const RunLock&) = delete;
  RunLock& operator=(const RunLock&) = delete;

  // Before anything that must not happen twice: throws where another process has taken over.
  void check() const;
  bool is_held() const;
  bool lost() const { return lost_; }  // as the last beat found; costs nothing

 private:
  // What the owner file says: "TOKEN MACHINE HOLDER\n", then a byte for each beat.
  struct Owner {
    std::string line = {};
    std::uint64_t bytes = 0;  // none: there is no file
    bool operator==(const Owner&) const = default;
  };

  void take_over(const std::string& machine, const Stopped& stopped);
  void wait_for_its_end(const Owner& before, const Stopped& stopped) const;
  void beat();
  Owner read_owner() const;

  Files& files_;
  std::filesystem::path folder_, owner_file_;
  std::string owner_;  // our line in it
  std::atomic<bool> lost_ = false;
  LockTiming timing_;
  std::unique_ptr<FileLock> system_lock_;
  std::mutex mutex_;
  std::condition_variable ending_changed_;
  bool ending_ = false;
  std::thread thread_;
};

}  // namespace peerless
