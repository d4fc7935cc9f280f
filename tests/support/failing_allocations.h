// A heap that has no memory left when a test wants it so: an operator new for the whole program, of which one file may
// include this.
//
//   at_each_allocation(Where::here, [&](const auto& failing) {
//     ...                                          what goes before
//     const bool completed = failing([&] { ... });
//     ...                                          what must hold after it
//   });
#pragma once

#include <gtest/gtest.h>
#include <sys/wait.h>
#include <unistd.h>

#include <csignal>
#include <cstdint>
#include <cstdlib>
#include <new>

#include "peerless/base/error.h"

namespace peerless::test {

// Of the allocations of this thread.
struct HeapPlan {
  std::int64_t until_failure = 0;  // 0: none fails
  bool lasting = false;            // all after it fail too
  bool failed = false;

  bool fails_now() {
    if (until_failure == 0 || --until_failure > 0) return false;
    failed = true;
    until_failure = lasting ? 1 : 0;
    return true;
  }
};
inline thread_local HeapPlan heap_plan;

struct Outcome {
  bool failed = false;     // an allocation
  bool completed = false;  // the work
};

// Error and std::bad_alloc may come out of the work; anything else goes on.
template <class Work>
Outcome run_with(HeapPlan plan, const Work& work) {
  struct End {
    ~End() { heap_plan.until_failure = 0; }
  } const end;
  bool completed = false;
  heap_plan = plan;
  try {
    work();
    completed = true;
  } catch (const std::bad_alloc&) {
  } catch (const Error&) {
  }
  return {heap_plan.failed, completed};
}

// The destructor of nlohmann::json allocates (its issue 5135), and then ends the process. That is like a kill, which a
// run survives, and no more is asked of code that uses it.
template <class Work>
Outcome run_in_a_child_with(HeapPlan plan, const Work& work) {
  constexpr int kOutcome = 10;  // no code that anything else ends with
  const pid_t child = ::fork();
  if (child == 0) {
    ::close(STDERR_FILENO);
    try {
      const auto outcome = run_with(plan, work);
      ::_exit(kOutcome + (outcome.failed ? 1 : 0) + (outcome.completed ? 2 : 0));
    } catch (...) {
      ::_exit(kOutcome - 1);
    }
  }
  int status = 0;
  EXPECT_EQ(::waitpid(child, &status, 0), child);
  if (WIFSIGNALED(status) && WTERMSIG(status) == SIGABRT) return {true, false};
  const int outcome = WEXITSTATUS(status) - kOutcome;
  EXPECT_TRUE(WIFEXITED(status) && outcome >= 0 && outcome < 4) << "status " << status;
  return {(outcome & 1) != 0, (outcome & 2) != 0};
}

#if defined(__SANITIZE_ADDRESS__) || defined(__SANITIZE_THREAD__)
constexpr std::int64_t kChildStride = 7;  // a child takes 20 ms to come to be
#else
constexpr std::int64_t kChildStride = 1;
#endif

enum class Where { here, in_a_child };

// Calls `body` with a function that runs a work in which the first allocation fails, then the second, and so on until
// none is left to fail: that one alone, and in a second round all that follow too. It gives whether the work came to
// its end. In children of a sanitized program it is every 7th that fails.
template <class Body>
void at_each_allocation(Where where, const Body& body) {
  const auto stride = where == Where::here ? 1 : kChildStride;
  for (const bool lasting : {false, true}) {
    Outcome outcome{.failed = true};
    for (std::int64_t number = 1; outcome.failed && !testing::Test::HasFailure(); number += stride) {
      SCOPED_TRACE(concat("allocation ", number, lasting ? " and all after it fail" : " fails"));
      body([&](const auto& work) {
        const HeapPlan plan{number, lasting};
        outcome = where == Where::here ? run_with(plan, work) : run_in_a_child_with(plan, work);
        return outcome.completed;
      });
    }
    EXPECT_TRUE(outcome.completed);
  }
}

}  // namespace peerless::test

// Not inline: where the compiler sees one side of a pair it complains that the other is no match.
[[gnu::noinline]] void* operator new(std::size_t size, const std::nothrow_t&) noexcept {
  return peerless::test::heap_plan.fails_now() ? nullptr : std::malloc(size == 0 ? 1 : size);
}
[[gnu::noinline]] void* operator new(std::size_t size) {
  void* const memory = ::operator new(size, std::nothrow);
  if (memory == nullptr) throw std::bad_alloc();
  return memory;
}
[[gnu::noinline]] void operator delete(void* memory) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, std::size_t) noexcept { std::free(memory); }
[[gnu::noinline]] void operator delete(void* memory, const std::nothrow_t&) noexcept { std::free(memory); }
