// Lives of a small training as processes, of which the parent sees what they left behind.
#pragma once

#include <fcntl.h>
#include <signal.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include <array>
#include <atomic>
#include <cerrno>
#include <cstring>
#include <functional>
#include <new>
#include <vector>

#include "peerless/base/error.h"
#include "tests/reliability/labels.h"
#include "tests/reliability/small_training.h"
#include "tests/reliability/socket_peers.h"
#include "tests/support/faulty_files.h"

namespace peerless::reliability {

constexpr std::int64_t kProcesses = 2;

// What processes write down before they die.
struct Notes {
  std::atomic<std::int64_t> acknowledged = 0;  // the newest step that was called durable
  std::array<Tally, kProcesses> operations{};  // by rank, of the last life
  std::array<char, 64> struck{};               // the operation before which the fault came

  void strike(const std::string& label) { std::strncpy(struck.data(), label.c_str(), struck.size() - 1); }
};

class SharedNotes {
 public:
  SharedNotes() {
    void* const memory = ::mmap(nullptr, sizeof(Notes), PROT_READ | PROT_WRITE, MAP_SHARED | MAP_ANONYMOUS, -1, 0);
    PEERLESS_CHECK(memory != MAP_FAILED, "mmap");
    notes_ = new (memory) Notes;
  }
  ~SharedNotes() { ::munmap(notes_, sizeof(Notes)); }
  SharedNotes(const SharedNotes&) = delete;
  SharedNotes& operator=(const SharedNotes&) = delete;
  Notes& operator*() const { return *notes_; }
  Notes* operator->() const { return notes_; }

 private:
  Notes* notes_;
};

// Calls `work` in a process of its own; the exit code, or 128 + the signal that ended it.
class Child {
 public:
  explicit Child(const std::function<void()>& work, pid_t group = 0) : id_(::fork()) {
    PEERLESS_CHECK(id_ >= 0, "fork");
    if (id_ > 0) {
      ::setpgid(id_, group);  // as the child does: whichever comes first, the group is there before the next child is
      return;
    }
    ::setpgid(0, group);
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    try {
      work();
      ::_exit(0);
    } catch (const Error& error) {
      ::_exit(static_cast<int>(error.code()));
    } catch (...) {
      ::_exit(static_cast<int>(ExitCode::internal));
    }
  }
  pid_t id() const { return id_; }
  int wait() const {
    int status = 0;
    while (::waitpid(id_, &status, 0) < 0) PEERLESS_CHECK(errno == EINTR, "waitpid");
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

 private:
  pid_t id_;
};

// The hook of one of the processes.
using HookOf = std::function<Hook(std::int64_t rank)>;

// One life of a training of kProcesses processes. Their exit codes, by rank.
inline std::vector<int> live_as_processes(Training training, Notes& notes, const HookOf& hook_of) {
  Wiring wiring(kProcesses);
  for (auto& operations : notes.operations) new (&operations) Tally;
  training.acknowledge = [&notes](std::int64_t step) { notes.acknowledged = step; };
  std::vector<Child> children;
  for (std::int64_t rank = 0; rank < kProcesses; ++rank) {
    const auto work = [&, rank] {
      wiring.keep(rank);
      SocketPeers peers(wiring, rank);
      FaultyFiles files(disk());
      files.arm([&, hook = hook_of(rank)](const Operation& operation) {
        notes.operations[static_cast<std::size_t>(rank)].add(label(operation));
        if (hook) hook(operation);
      });
      live(training, files, peers);
    };
    children.emplace_back(work, rank == 0 ? 0 : children.front().id());
  }
  wiring.keep(-1);
  std::vector<int> codes;
  for (const auto& child : children) codes.push_back(child.wait());
  return codes;
}

}  // namespace peerless::reliability
