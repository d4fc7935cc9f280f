#include "peerless/checkpoint/run_lock.h"

#include <gmock/gmock.h>

#include "tests/support/complaint.h"
#include "tests/support/memory_files.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using namespace std::chrono_literals;
using test::Complaint;
using test::complaint;

constexpr LockTiming kQuick{.beat = 20ms, .patience = 400ms};
constexpr LockTiming kAsleep{.beat = 1h, .patience = 100ms};

class RunLockTest : public testing::Test {
 protected:
  RunLockTest() { files_.make_folder("/run"); }
  std::unique_ptr<RunLock> take(const std::string& machine, LockTiming timing = kQuick) {
    return std::make_unique<RunLock>(files_, "/run", machine, concat("a process of ", machine), timing);
  }
  Complaint taking(const std::string& machine) {
    return complaint([&] { take(machine); });
  }
  static auto seconds(const std::function<void()>& work) {
    const auto begin = std::chrono::steady_clock::now();
    work();
    return std::chrono::steady_clock::now() - begin;
  }
  MemoryFiles files_;
};

TEST_F(RunLockTest, KeepsOthersOutAndLeavesNothing) {
  {
    const auto lock = take("A");
    EXPECT_EQ(taking("A"), (Complaint{ExitCode::output, "/run: in use by a process of A"}));
    EXPECT_NO_THROW(lock->check());
  }
  EXPECT_LT(seconds([&] { take("B"); }), kQuick.patience / 2);
  EXPECT_FALSE(exists(files_, "/run/.owner"));
}

// Where the system's lock does not reach from one host to another, or there is none.
TEST_F(RunLockTest, OneThatLivesElsewhereIsSeenByItsBeats) {
  files_.knows_locks = false;
  const auto lock = take("A");
  EXPECT_EQ(taking("B"), (Complaint{ExitCode::output, "/run: in use by a process of A"}));
  EXPECT_EQ(taking("A"), (Complaint{ExitCode::output, "/run: in use by a process of A"}));
  EXPECT_NO_THROW(lock->check());
}

TEST_F(RunLockTest, OneThatDiedElsewhereIsWaitedForAndTakenOver) {
  files_.put("/run/.owner", "t0 A a process of A\n....");
  EXPECT_GE(seconds([&] { EXPECT_NO_THROW(take("B")->check()); }), kQuick.patience);
}

TEST_F(RunLockTest, WhoIsAskedToStopDoesNotWait) {
  files_.put("/run/.owner", "t0 A a process of A\n....");
  const auto stopped = complaint([&] { RunLock(files_, "/run", "B", "a process of B", kQuick, [] { return true; }); });
  EXPECT_EQ(stopped,
            (Complaint{ExitCode::preempted, "/run: asked to stop while it waits whether a process of A still lives"}));
  EXPECT_EQ(files_.content("/run/.owner"), "t0 A a process of A\n....");
}

TEST_F(RunLockTest, OneThatDiedHereIsNotWaitedFor) {
  files_.put("/run/.owner", "t0 A a process of A\n....");
  EXPECT_LT(seconds([&] { EXPECT_NO_THROW(take("A")->check()); }), kQuick.patience / 2);
}

TEST_F(RunLockTest, OneThatLivesForYearsIsNoObstacle) {
  files_.put("/run/.owner", "t0 A a process of A\n" + std::string(5'000'000, '.'));
  EXPECT_NO_THROW(take("A")->check());
  files_.put("/run/.owner", std::string(5'000'000, 'x'));
  EXPECT_NO_THROW(take("A")->check());
}

TEST_F(RunLockTest, OneThatIsTakenOverLearnsItByItself) {
  files_.knows_locks = false;
  const auto sleeper = take("A");
  EXPECT_FALSE(sleeper->lost());
  EXPECT_TRUE(sleeper->is_held());
  files_.put("/run/.owner", "t1 B a process of B\n");
  EXPECT_FALSE(sleeper->is_held());
  while (!sleeper->lost()) std::this_thread::sleep_for(1ms);
  EXPECT_EQ(complaint([&] { sleeper->check(); }).code, ExitCode::output);
}

TEST_F(RunLockTest, OneThatSleptFindsThatItIsTakenOver) {
  files_.knows_locks = false;
  auto sleeper = take("A", kAsleep);
  auto other = take("B", kAsleep);
  EXPECT_EQ(complaint([&] { sleeper->check(); }),
            (Complaint{ExitCode::output, "/run: taken over by a process of B, to which this process looked dead"}));
  sleeper.reset();  // takes nothing from the other
  EXPECT_NO_THROW(other->check());
}

TEST_F(RunLockTest, OfTwoThatStartAtOnceOneHasIt) {
  const TemporaryFolder folder;
  for (int round = 0; round < 500; ++round) {
    std::atomic<int> ready = 0, held = 0, refused = 0;
    const auto start = [&] {
      ++ready;
      while (ready < 2) std::this_thread::yield();
      try {
        const RunLock lock(disk(), folder.path(), "A", "a process of A");
        ++held;
        while (held + refused < 2) std::this_thread::yield();
        lock.check();
      } catch (const Error& error) {
        EXPECT_EQ(error.code(), ExitCode::output) << error.what();
        ++refused;
      }
    };
    std::thread other(start);
    start();
    other.join();
    ASSERT_EQ(held, 1);
    ASSERT_EQ(refused, 1);
  }
}

TEST_F(RunLockTest, OfSeveralThatTakeOverOneHasIt) {
  for (int round = 0; round < 5; ++round) {
    files_.knows_locks = false;
    files_.put("/run/.owner", "t0 A a process of A\n");
    std::vector<std::unique_ptr<RunLock>> locks(3);
    std::vector<std::thread> takers;
    for (std::size_t i = 0; i < locks.size(); ++i)
      takers.emplace_back([&, i] {
        try {
          locks[i] = take(concat("B", i), kAsleep);
        } catch (const Error&) {
          // Another was first.
        }
      });
    for (auto& taker : takers) taker.join();
    int held = 0;
    for (const auto& lock : locks)
      if (lock) held += complaint([&] { lock->check(); }) == Complaint{} ? 1 : 0;
    EXPECT_EQ(held, 1);
    locks.clear();
    if (exists(files_, "/run/.owner")) files_.remove("/run/.owner");
  }
}

}  // namespace
}  // namespace peerless
