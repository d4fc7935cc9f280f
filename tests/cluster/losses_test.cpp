// Losses of a run, and ends that are none; clients and their server in one process.
#include <gmock/gmock.h>

#include <ctime>

#include "tests/cluster/fixture.h"
#include "tests/support/complaint.h"

namespace peerless::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::complaint;
using test::Complaint;
using test::Meeting;
using ::testing::IsEmpty;
using ::testing::MatchesRegex;

constexpr auto kQuiet = milliseconds(200);  // long enough for a wrong loss to show

// ---- losses ---------------------------------------------------------------------------------------------------------

TEST(CoordinatorLosses, AClosedConnectionIsALossThatEndsAllRequests) {
  Meeting meeting(3);
  meeting.serve().join_all();
  auto waiting = std::async(std::launch::async,
                            [&] { return complaint([&] { meeting[0].get("never", std::chrono::hours(1)); }); });
  std::this_thread::sleep_for(milliseconds(50));
  meeting.clients[2].reset();
  const std::string text = "rank 2 is lost: its connection closed";
  EXPECT_EQ(waiting.get(), (Complaint{ExitCode::peer, text}));
  EXPECT_EQ(meeting.heard(0), text);
  EXPECT_EQ(meeting.heard(1), text);
  EXPECT_EQ(complaint([&] { meeting[1].num_keys(); }), (Complaint{ExitCode::peer, text}));
  meeting[1].report_lost(0, "too late");
  meeting[1].goodbye();
  EXPECT_EQ(meeting.heard(2, milliseconds(0)), "") << "it went by itself";
}

TEST(CoordinatorLosses, OnlyTheFirstLossIsHeard) {
  Meeting meeting(4);
  meeting.serve().join_all();
  meeting.clients[2].reset();
  const auto text = meeting.heard(0);
  meeting.clients[3].reset();
  std::this_thread::sleep_for(kQuiet);
  EXPECT_EQ(meeting.hearings[0].losses().size(), 1U);
  EXPECT_EQ(meeting.heard(1), text);
}

TEST(CoordinatorLosses, ALossBringsWhatAllDidThen) {
  Meeting meeting(3);
  meeting.serve().join_all();
  meeting[0].set_activity("step 7, forward");
  meeting[2].set_activity(std::string(600, 'x'));
  std::this_thread::sleep_for(milliseconds(150));
  meeting.clients[2].reset();
  meeting.heard(0);
  const auto losses = meeting.hearings[0].losses();
  ASSERT_EQ(losses.size(), 1U);
  ASSERT_EQ(losses[0].activities.size(), 3U);
  EXPECT_EQ(losses[0].activity, "step 7, forward");
  EXPECT_EQ(losses[0].activities[0].what, "step 7, forward");
  EXPECT_EQ(losses[0].activities[1].what, "");
  EXPECT_EQ(losses[0].activities[2].what, std::string(512, 'x'));
}

// Others wait for one that lives, but does not come.
TEST(CoordinatorLosses, WhoIsBehindForLongIsLost) {
  Meeting meeting(4);
  meeting.server_options.patience = milliseconds(400);
  meeting.serve().join_all();
  const auto begin = [&](std::size_t rank, int exchanges) {
    for (int i = 0; i < exchanges; ++i) meeting[rank].count_exchange();
  };
  for (const std::size_t rank : {0, 1, 2, 3}) begin(rank, 7);
  std::this_thread::sleep_for(milliseconds(600));
  EXPECT_EQ(meeting.heard(0, milliseconds(0)), "") << "all are busy, nobody waits";
  begin(3, 2);
  begin(0, 1);
  begin(2, 1);
  const auto start = Clock::now();
  const std::string text = "rank 1 is lost: the others have waited 0\\.[4-6] s for it to begin exchange 8";
  EXPECT_THAT(meeting.heard(0), MatchesRegex(text));
  EXPECT_GE(Clock::now() - start, milliseconds(350));
  EXPECT_THAT(meeting.heard(1), MatchesRegex(text));
  EXPECT_EQ(meeting.hearings[0].losses()[0].activities[1].exchanges, 7);
}

TEST(CoordinatorLosses, WhoCatchesUpInTimeIsNotLost) {
  Meeting meeting(2);
  meeting.server_options.patience = milliseconds(400);
  meeting.serve().join_all();
  for (int i = 0; i < 5; ++i) {
    meeting[0].count_exchange();
    std::this_thread::sleep_for(milliseconds(250));
    EXPECT_EQ(meeting.heard(0, milliseconds(0)), "");
    meeting[1].count_exchange();
  }
}

TEST(CoordinatorLosses, AClientCanWaitForTheLoss) {
  Meeting meeting(3);
  meeting.serve().join_all();
  EXPECT_EQ(meeting[0].wait_for_loss(milliseconds(10)), std::nullopt);
  meeting.clients[2].reset();
  EXPECT_EQ(meeting[0].wait_for_loss(seconds(5)).value().text(), "rank 2 is lost: its connection closed");
  meeting[1].goodbye();
}

TEST(CoordinatorLosses, ActivitiesTellWhatAllDoAndSinceWhen) {
  Meeting meeting(3);
  auto coming = std::async(std::launch::async, [&] { meeting.serve().join({0, 1}); });
  std::this_thread::sleep_for(milliseconds(50));
  test::RawConnection third(meeting.listening.port);
  EXPECT_TRUE(third.shake_hands(meeting.options_of(2)));
  coming.get();
  third.send({.kind = Message::Kind::goodbye});
  third.send({.kind = Message::Kind::beat, .texts = {"a beat that was under way"}});
  meeting[1].set_activity("step 1\n");
  std::this_thread::sleep_for(milliseconds(250));
  meeting[0].report_lost(0, "enough");
  meeting.heard(1);
  const auto activities = meeting.hearings[1].losses().at(0).activities;
  ASSERT_EQ(activities.size(), 3U);
  EXPECT_EQ(activities[0].what, "");
  EXPECT_EQ(activities[1].what, "step 1\\x0a");
  EXPECT_GE(activities[1].unchanged, milliseconds(240));
  EXPECT_LT(activities[1].silent, milliseconds(240));
  EXPECT_EQ(activities[2].what, "has left");
  EXPECT_GE(activities[2].silent, milliseconds(240));
}

TEST(CoordinatorLosses, WhatIsReportedAllHear) {
  Meeting meeting(3);
  meeting.serve().join_all();
  const auto start = Clock::now();
  meeting[1].report_lost(2, "all-reduce failed\n");
  const std::string text = "rank 2 is lost: rank 1 reports: all-reduce failed\\x0a";
  for (std::size_t rank = 0; rank < 3; ++rank) EXPECT_EQ(meeting.heard(rank), text);
  EXPECT_GE(Clock::now() - start, milliseconds(450));
}

TEST(CoordinatorLosses, WhatTheServerSeesGoesBeforeWhatIsReported) {
  Meeting meeting(3);
  meeting.serve().join_all();
  meeting[1].report_lost(0, "somebody is gone");
  std::this_thread::sleep_for(milliseconds(50));
  meeting.clients[2].reset();
  EXPECT_EQ(meeting.heard(0), "rank 2 is lost: its connection closed");
  EXPECT_EQ(meeting.heard(1), "rank 2 is lost: its connection closed");
}

// A report that is due, and a loss that went before it.
TEST(CoordinatorLosses, IsAtRestAfterALoss) {
  Meeting meeting(3);
  meeting.serve().join_all();
  meeting[1].report_lost(0, "somebody is gone");
  meeting[1].num_keys();
  meeting.clients[2].reset();
  meeting.heard(0);
  std::this_thread::sleep_for(milliseconds(500));
  const auto before = std::clock();
  std::this_thread::sleep_for(milliseconds(200));
  EXPECT_LT(std::clock() - before, CLOCKS_PER_SEC / 10) << "half of the time";
}

TEST(CoordinatorLosses, WhoReportsAndGoesIsNotTheCulprit) {
  Meeting meeting(3);
  meeting.serve().join_all();
  meeting[1].report_lost(2, "all-reduce failed");
  meeting[1].num_keys();  // the report is there
  meeting.clients[1].reset();
  EXPECT_EQ(meeting.heard(0, milliseconds(400)), "rank 2 is lost: rank 1 reports: all-reduce failed");
}

TEST(CoordinatorLosses, WhoFailsSaysWhyAndHearsNothing) {
  for (const std::size_t rank : {0, 1}) {
    Meeting meeting(3);
    meeting.serve().join_all();
    const auto start = Clock::now();
    meeting[rank].fail("DATA: a shard is cut");
    if (rank == 0) meeting.server.reset();
    const auto text = concat("rank ", rank, " is lost: it failed: DATA: a shard is cut");
    EXPECT_EQ(meeting.heard(2), text);
    EXPECT_EQ(meeting.heard(1 - rank), text);
    EXPECT_LT(Clock::now() - start, milliseconds(400));
    EXPECT_EQ(meeting.heard(rank, milliseconds(50)), "");
  }
}

TEST(CoordinatorLosses, NonsenseIsNotReported) {
  Meeting meeting(2);
  meeting.serve().join_all();
  meeting[1].report_lost(2, "there is no such rank");
  meeting[1].report_lost(-1, "there is no such rank");
  EXPECT_EQ(meeting.heard(0, milliseconds(600)), "");
}

TEST(CoordinatorLosses, WithoutItsServerAClientLosesRank0) {
  Meeting meeting(2);
  meeting.serve().join_all();
  meeting.server.reset();
  for (std::size_t rank = 0; rank < 2; ++rank) {
    EXPECT_EQ(meeting.heard(rank), "rank 0 is lost: its connection closed");
    EXPECT_THAT(meeting.hearings[rank].losses()[0].activities, IsEmpty());
  }
}

TEST(CoordinatorLosses, AServerThatFallsSilentIsLost) {
  Meeting meeting(2);
  meeting.client_options.silence = milliseconds(300);
  auto coming = std::async(std::launch::async, [&] { return meeting.client(1); });
  test::RawConnection server(meeting.listening);
  EXPECT_TRUE(server.welcome("secret"));
  const auto client = coming.get();
  EXPECT_THAT(meeting.heard(1), MatchesRegex("rank 0 is lost: it was silent for 0\\.[34] s"));
}

// ---- leaving --------------------------------------------------------------------------------------------------------

TEST(CoordinatorLosses, WhoSaysGoodbyeIsNotLost) {
  Meeting meeting(3);
  meeting.serve().join_all();
  meeting[2].goodbye();
  meeting[2].goodbye();
  EXPECT_EQ(complaint([&] { meeting[2].num_keys(); }), (Complaint{ExitCode::peer, "this process has left the run"}));
  meeting.clients[2].reset();
  EXPECT_EQ(meeting[0].add("n", 1), 1);
  EXPECT_EQ(meeting.heard(0, kQuiet), "");
  meeting.clients[1].reset();
  EXPECT_EQ(meeting.heard(0), "rank 1 is lost: its connection closed");
}

// The server that ends in the middle of a goodbye, without an answer.
TEST(CoordinatorLosses, WhoSaysGoodbyeHearsOfNoLoss) {
  Meeting meeting(2);
  auto coming = std::async(std::launch::async, [&] { meeting.join({1}); });
  {
    test::RawConnection server(meeting.listening);
    EXPECT_TRUE(server.welcome("secret"));
    coming.get();
    coming = std::async(std::launch::async, [&] { meeting[1].goodbye(); });
    for (auto said = server.receive(); said && said->kind != Message::Kind::goodbye;) said = server.receive();
  }
  coming.get();
  EXPECT_EQ(meeting.heard(1, milliseconds(0)), "");
}

TEST(CoordinatorLosses, WhenRank0HasLeftInOrderNobodyIsLost) {
  Meeting meeting(3);
  meeting.serve().join_all();
  meeting[0].goodbye();
  meeting.server.reset();
  EXPECT_EQ(meeting.heard(1, kQuiet), "");
  EXPECT_EQ(complaint([&] { meeting[1].num_keys(); }), (Complaint{ExitCode::peer, "rank 0 has left"}));
  meeting[2].goodbye();
  EXPECT_EQ(meeting.heard(2, milliseconds(0)), "");
}

TEST(CoordinatorLosses, DestructorsAreFastAtAnyTime) {
  auto meeting = std::make_unique<Meeting>(2);
  meeting->serve().join_all();
  (*meeting)[1].report_lost(0, "");
  auto nobody_comes = std::make_unique<Meeting>(2);
  nobody_comes->serve();
  const auto start = Clock::now();
  meeting.reset();
  nobody_comes.reset();
  EXPECT_LT(Clock::now() - start, milliseconds(400));
}

}  // namespace
}  // namespace peerless::cluster
