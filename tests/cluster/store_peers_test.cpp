#include "peerless/cluster/store_peers.h"

#include <gmock/gmock.h>

#include <thread>

#include "tests/cluster/fixture.h"
#include "tests/support/complaint.h"

namespace peerless::cluster {
namespace {

using ::testing::ElementsAre;
using ::testing::IsEmpty;

class StorePeersTest : public ::testing::Test {
 protected:
  static constexpr std::int64_t kSize = 3;
  StorePeersTest() { meeting_.serve().join_all(); }

  void on_each(const std::function<void(StorePeers&)>& work) {
    std::vector<std::thread> threads;
    for (std::int64_t rank = 0; rank < kSize; ++rank)
      threads.emplace_back([&, rank] {
        StorePeers peers(meeting_[static_cast<std::size_t>(rank)], "saves", rank, kSize);
        work(peers);
      });
    for (auto& thread : threads) thread.join();
  }

  test::Meeting meeting_{kSize};
};

TEST_F(StorePeersTest, TellRankZeroAndAreTold) {
  on_each([](StorePeers& peers) {
    for (int round = 0; round < 50; ++round) {
      const auto all = peers.collect(concat(round, " of ", peers.rank()));
      if (peers.rank() == 0)
        EXPECT_THAT(all, ElementsAre(concat(round, " of 0"), concat(round, " of 1"), concat(round, " of 2")));
      else
        EXPECT_THAT(all, IsEmpty());
      EXPECT_EQ(peers.announce(peers.rank() == 0 ? concat("heard ", round) : ""), concat("heard ", round));
      EXPECT_EQ(peers.announce("again"), "again");
    }
    peers.collect("");
  });
  EXPECT_EQ(meeting_[0].num_keys(), 0);  // what has been read is gone
}

TEST_F(StorePeersTest, AnErrorOfOneIsAnErrorOfAll) {
  on_each([](StorePeers& peers) {
    const auto work = [&](std::int64_t who) {
      return test::complaint([&] {
        together(peers, [&] {
          if (peers.rank() >= who) throw Error(ExitCode::io, "disk ", peers.rank(), " is full");
        });
      });
    };
    EXPECT_EQ(work(kSize), (test::Complaint{}));
    const auto mine = concat("disk ", peers.rank(), " is full");
    EXPECT_EQ(work(1), (test::Complaint{ExitCode::io, peers.rank() >= 1 ? mine : "process 1: disk 1 is full"}));
    EXPECT_EQ(work(kSize), (test::Complaint{}));
  });
}

TEST_F(StorePeersTest, WhoWaitsForOneThatIsLostHearsOfIt) {
  on_each([&](StorePeers& peers) {
    if (peers.rank() == 2) return meeting_[2].fail("out of memory");
    const auto said = test::complaint([&] { peers.rank() == 0 ? void(peers.collect("")) : void(peers.announce("")); });
    EXPECT_EQ(said, (test::Complaint{ExitCode::peer, "rank 2 is lost: it failed: out of memory"}));
  });
}

}  // namespace
}  // namespace peerless::cluster
