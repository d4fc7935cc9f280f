#include "peerless/dist/rendezvous.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>
#include <sched.h>

#include <atomic>
#include <filesystem>
#include <mutex>
#include <set>
#include <thread>
#include <torch/csrc/distributed/c10d/TCPStore.hpp>

#include "peerless/dist/collectives.h"
#include "tests/support/complaint.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using namespace std::chrono_literals;

// Processes as threads: each joins by itself, with sockets of its own.
void as_threads(Launch launch, const std::function<void(World&)>& work, JoinOptions options = {.timeout = 20s}) {
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < launch.world_size; ++rank)
    threads.emplace_back([launch, rank, &work, options]() mutable {
      launch.rank = launch.local_rank = rank;
      launch.local_size = launch.world_size;
      World world(launch, options);
      work(world);
    });
  for (auto& thread : threads) thread.join();
}

void exchange_something(World& world) {
  auto& communicator = world.communicator();
  for (const std::int64_t n : {1, 7, 100'000}) {
    const auto flat = at::full({n}, static_cast<float>(communicator.rank() + 1));
    sum(communicator, {flat});
    const auto size = static_cast<float>(communicator.world_size());
    EXPECT_TRUE(at::equal(flat, at::full({n}, size * (size + 1) / 2)));
  }
  const auto names = gather(communicator, concat("process ", communicator.rank()));
  EXPECT_EQ(names.back(), concat("process ", communicator.world_size() - 1));
  world.leave();
}

TEST(Rendezvous, ProcessesMeetAtAPort) {
  as_threads({.launcher = "flags", .world_size = 3, .host = "127.0.0.1", .port = 29471}, exchange_something);
}

TEST(Rendezvous, ProcessesMeetInAFile) {
  const TemporaryFolder folder;
  as_threads({.launcher = "flags", .world_size = 2, .file = folder / "meeting"}, exchange_something);
}

std::int64_t batch_threads() {
  std::int64_t count = 0;
  for (const auto& thread : std::filesystem::directory_iterator("/proc/self/task"))
    count += ::sched_getscheduler(std::stoi(thread.path().filename())) == SCHED_BATCH ? 1 : 0;
  return count;
}

// Those of gloo's devices, and no other.
TEST(Rendezvous, ThreadsThatOnlyWaitTakeNoProcessorFromOthers) {
  const TemporaryFolder folder;
  as_threads({.launcher = "flags", .world_size = 2, .file = folder / "meeting"}, [](World& world) {
    EXPECT_GE(batch_threads(), 1);
    EXPECT_LE(batch_threads(), 2);
    EXPECT_EQ(::sched_getscheduler(0), SCHED_OTHER);
    world.leave();
  });
}

TEST(Rendezvous, OneProcessMeetsNobody) { EXPECT_EQ(World({}, {}).communicator().world_size(), 1); }

TEST(Rendezvous, OnSeveralHostsRank0SaysWhereItListens) {
  const auto said_of = [](std::int64_t local_size) {
    const Launch launch{
        .launcher = "flags", .world_size = 2, .local_size = local_size, .host = "127.0.0.1", .port = 29474};
    testing::internal::CaptureStderr();
    EXPECT_EQ(test::complaint([&] { World(launch, {.timeout = 1s}); }).code, ExitCode::peer);
    return testing::internal::GetCapturedStderr();
  };
  EXPECT_NE(said_of(1).find("coordinator listens at 127.0.0.1:29474\n"), std::string::npos);
  EXPECT_EQ(said_of(2).find("listens"), std::string::npos);
}

TEST(Rendezvous, WhoDoesNotComeIsMissed) {
  const Launch launch{.launcher = "flags",
                      .rank = 1,
                      .world_size = 2,
                      .local_rank = 1,
                      .local_size = 2,
                      .host = "127.0.0.1",
                      .port = 29472};
  const auto said = test::complaint([&] { World(launch, {.timeout = 1s}); });
  EXPECT_EQ(said.code, ExitCode::peer);
  EXPECT_EQ(
      said.text,
      "rank 1 waited 1 s for the 2 processes of this run; cannot connect to rank 0 at 127.0.0.1:29472: Connection "
      "refused");
}

TEST(Rendezvous, AHostThatDoesNotExistIsNamed) {
  const Launch launch{.launcher = "flags", .world_size = 2, .local_size = 1, .host = "no..host", .port = 29473};
  const auto said = test::complaint([&] { World(launch, {.timeout = 1s}); });
  EXPECT_EQ(said.code, ExitCode::config);
  EXPECT_NE(said.text.find("host 'no..host' of rank 0 does not resolve here"), std::string::npos) << said;
}

TEST(Rendezvous, ProcessesMeetInTheStoreOfTorchrunsAgent) {
  c10d::TCPStoreOptions agent;
  agent.isServer = true;
  agent.port = 0;
  const auto store = c10::make_intrusive<c10d::TCPStore>("127.0.0.1", agent);
  const Launch launch{.launcher = "torchrun",
                      .world_size = 3,
                      .host = "127.0.0.1",
                      .port = store->getPort(),
                      .store_is_served = true,
                      .attempt = "run/0"};
  as_threads(launch, exchange_something);
  as_threads(launch, exchange_something);  // a restart, that meets in the same store
}

TEST(Rendezvous, AnotherSecretIsRefused) {
  const TemporaryFolder folder;
  const Launch launch{.launcher = "flags", .world_size = 2, .local_size = 2, .file = folder / "meeting"};
  std::thread first([&] {
    EXPECT_EQ(test::complaint([&] { World(launch, {.timeout = 2s, .secret = "the secret of all"}); }).text,
              "rank 0 waited 2 s for the 2 processes of this run; missing ranks: 1");
  });
  auto other = launch;
  other.rank = other.local_rank = 1;
  const auto said = test::complaint([&] { World(other, {.timeout = 2s, .secret = "guess"}); });
  EXPECT_EQ(said.code, ExitCode::config);
  EXPECT_NE(said.text.find("refused: the secret is not that of rank 0"), std::string::npos) << said;
  first.join();
}

TEST(Rendezvous, NobodyLeavesBeforeAllHaveComeToIt) {
  const TemporaryFolder folder;
  std::atomic<int> come = 0;
  const auto work = [&](World& world) {
    std::this_thread::sleep_for(world.communicator().rank() * 100ms);
    ++come;
    world.leave();
    EXPECT_EQ(come, 3);
  };
  as_threads({.launcher = "flags", .world_size = 3, .file = folder / "meeting"}, work);
}

TEST(Rendezvous, TooManyProcessesAreRefused) {
  const Launch launch{.launcher = "flags", .world_size = 5000, .local_size = 1, .host = "127.0.0.1", .port = 29473};
  EXPECT_EQ(test::complaint([&] { World(launch, {.timeout = 1s}); }),
            (test::Complaint{ExitCode::config, "5000 processes are too many: at most 4095 can train together"}));
}

// What keeps one from exchanging (no GPU, say) is heard by all.
TEST(Rendezvous, WhoCannotConnectTellsTheOthers) {
  const TemporaryFolder folder;
  const Launch launch{.launcher = "flags", .world_size = 2, .local_size = 2, .file = folder / "meeting"};
  std::mutex mutex;
  std::string heard;
  std::thread second([launch = launch]() mutable {
    launch.rank = 1;
    const auto no_device = []() -> at::Device { throw Error(ExitCode::config, "no GPU"); };
    EXPECT_EQ(test::complaint([&] { World(launch, {.device = no_device, .timeout = 20s}); }),
              (test::Complaint{ExitCode::config, "no GPU"}));
  });
  const auto on_loss = [&](const cluster::Loss& loss) {
    const std::lock_guard lock(mutex);
    heard = loss.text();
  };
  EXPECT_EQ(test::complaint([&] { World(launch, {.timeout = 20s, .on_loss = on_loss}); }).code, ExitCode::peer);
  second.join();
  const std::lock_guard lock(mutex);
  EXPECT_EQ(heard, "rank 1 is lost: it failed: CONFIG: no GPU");
}

// Who fails by itself tells the others why, and does not take that for the loss of another.
TEST(Rendezvous, WhoFailsIsHeardByTheOthersAlone) {
  for (const std::int64_t culprit : {0, 1}) {
    const TemporaryFolder folder;
    std::mutex mutex;
    std::multiset<std::string> heard;
    const auto on_loss = [&](const cluster::Loss& loss) {
      const std::lock_guard lock(mutex);
      heard.insert(concat(loss.activity, " hears: ", loss.text()));
    };
    const auto all_heard = [&] {
      const std::lock_guard lock(mutex);
      return heard.size() >= 2;
    };
    const auto work = [&](World& world) {
      const auto rank = world.communicator().rank();
      world.communicator().set_activity(concat("rank ", rank));
      any(world.communicator(), false);
      if (rank == culprit) world.fail("IO: disk full");
      for (int i = 0; i < 500 && !all_heard(); ++i) std::this_thread::sleep_for(10ms);
      if (rank == culprit) std::this_thread::sleep_for(200ms);  // it would hear by now
    };
    as_threads({.launcher = "flags", .world_size = 3, .file = folder / "meeting"}, work,
               {.timeout = 20s, .on_loss = on_loss});
    const auto lost = concat(" hears: rank ", culprit, " is lost: it failed: IO: disk full");
    EXPECT_EQ(heard, (std::multiset{concat("rank ", 1 - culprit, lost), concat("rank 2", lost)}));
  }
}

// One that leaves an exchange out is lost, and all that wait hear whom they wait for, and what it does.
TEST(Rendezvous, WhoStaysAwayIsLost) {
  const TemporaryFolder folder;
  std::mutex mutex;
  std::vector<std::string> heard;
  const auto on_loss = [&](const cluster::Loss& loss) {
    const std::lock_guard lock(mutex);
    heard.push_back(loss.activities.at(2).what);
  };
  const auto work = [&](World& world) {
    auto& communicator = world.communicator();
    any(communicator, false);
    communicator.set_activity(concat("playing ", communicator.rank()));
    if (communicator.rank() == 2) {
      std::this_thread::sleep_for(6s);
      return;
    }
    const auto said = test::complaint([&] { any(communicator, false); });
    EXPECT_EQ(said.code, ExitCode::peer);
    EXPECT_EQ(said.text.find("rank 2 is lost: the others have waited 2"), 0U) << said;
  };
  as_threads({.launcher = "flags", .world_size = 3, .file = folder / "meeting"}, work,
             {.timeout = 2s, .on_loss = on_loss});
  EXPECT_EQ(heard, std::vector<std::string>(3, "playing 2"));
}

}  // namespace
}  // namespace peerless
