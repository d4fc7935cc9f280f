#include "peerless/dist/rendezvous.h"

#include <ATen/ATen.h>
#include <gtest/gtest.h>

#include <thread>

#include "peerless/dist/collectives.h"
#include "tests/support/complaint.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using namespace std::chrono_literals;

// Processes as threads: each joins by itself, with sockets of its own.
void as_threads(Launch launch, const std::function<void(Communicator&)>& work) {
  std::vector<std::thread> threads;
  for (std::int64_t rank = 0; rank < launch.world_size; ++rank)
    threads.emplace_back([launch, rank, &work]() mutable {
      launch.rank = launch.local_rank = rank;
      launch.local_size = launch.world_size;
      work(*join(launch, at::kCPU, 20s));
    });
  for (auto& thread : threads) thread.join();
}

void exchange_something(Communicator& communicator) {
  for (const std::int64_t n : {1, 7, 100'000}) {
    const auto flat = at::full({n}, static_cast<float>(communicator.rank() + 1));
    sum(communicator, {flat});
    const auto size = static_cast<float>(communicator.world_size());
    EXPECT_TRUE(at::equal(flat, at::full({n}, size * (size + 1) / 2)));
  }
  const auto names = gather(communicator, concat("process ", communicator.rank()));
  EXPECT_EQ(names.back(), concat("process ", communicator.world_size() - 1));
}

TEST(Rendezvous, ProcessesMeetAtAPort) {
  as_threads({.launcher = "flags", .world_size = 3, .host = "127.0.0.1", .port = 29471}, exchange_something);
}

TEST(Rendezvous, ProcessesMeetInAFile) {
  const TemporaryFolder folder;
  as_threads({.launcher = "flags", .world_size = 2, .file = folder / "meeting"}, exchange_something);
}

TEST(Rendezvous, OneProcessMeetsNobody) { EXPECT_EQ(join({}, at::kCPU, 1s)->world_size(), 1); }

TEST(Rendezvous, WhoDoesNotComeIsMissed) {
  const Launch launch{.launcher = "flags",
                      .rank = 1,
                      .world_size = 2,
                      .local_rank = 1,
                      .local_size = 2,
                      .host = "127.0.0.1",
                      .port = 29472};
  const auto said = test::complaint([&] { join(launch, at::kCPU, 1s); });
  EXPECT_EQ(said.code, ExitCode::peer);
  EXPECT_NE(said.text.find("the 2 processes did not find each other"), std::string::npos) << said;
}

TEST(Rendezvous, AHostThatDoesNotExistIsNamed) {
  const Launch launch{
      .launcher = "flags", .world_size = 2, .local_size = 1, .host = "no.such.host.invalid", .port = 29473};
  const auto said = test::complaint([&] { join(launch, at::kCPU, 1s); });
  EXPECT_EQ(said.code, ExitCode::config);
  EXPECT_NE(said.text.find("host 'no.such.host.invalid' of rank 0 does not resolve here"), std::string::npos) << said;
}

}  // namespace
}  // namespace peerless
