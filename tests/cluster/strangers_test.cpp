// Who knocks at the coordinator's door and is not let in, and a door that is not the coordinator's.
#include <gmock/gmock.h>

#include "tests/cluster/fixture.h"
#include "tests/support/complaint.h"

namespace peerless::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::complaint;
using test::Complaint;
using test::Meeting;
using test::RawConnection;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using Kind = Message::Kind;

// Runs `f`, and gives what was logged meanwhile.
template <class F>
std::string log_of(F&& f) {
  ::testing::internal::CaptureStderr();
  f();
  return ::testing::internal::GetCapturedStderr();
}

// Rank 0 is there, rank 1 of 2 is not.
class CoordinatorStrangers : public ::testing::Test {
 protected:
  Meeting meeting_{2};

  // What a client hears that comes so, and that the log has the same.
  Complaint refused(const Client::Options& options) {
    Complaint found{};
    const auto log = log_of([&] { found = complaint([&] { const Client client(options); }); });
    const auto place = concat("rank 0 at 127.0.0.1:", meeting_.listening.port, ": refused: ");
    EXPECT_TRUE(found.text.starts_with(place)) << found;
    found.text.erase(0, place.size());
    EXPECT_THAT(log, ContainsRegex("warning: refused 127.0.0.1:[0-9]+: "));
    EXPECT_THAT(log, HasSubstr(": " + found.text + "\n"));
    return found;
  }
};

TEST_F(CoordinatorStrangers, AreToldWhyTheyAreRefused) {
  meeting_.serve();
  auto options = meeting_.options_of(1);
  options.secret = "secres";
  EXPECT_EQ(refused(options),
            (Complaint{ExitCode::config, "the secret is not that of rank 0; give all processes the same one"}));
  options.secret = "";
  EXPECT_EQ(refused(options).code, ExitCode::config);
  options = meeting_.options_of(1);
  options.world_size = 3;
  EXPECT_EQ(refused(options),
            (Complaint{ExitCode::config,
                       "a world of 3 processes, where that of rank 0 has 2; start all with the same number"}));
  for (const std::int64_t rank : {2, -1}) {
    EXPECT_EQ(refused(meeting_.options_of(rank)),
              (Complaint{ExitCode::config, concat("there is no rank ", rank, " among 2 processes")}));
  }
}

TEST_F(CoordinatorStrangers, ARankThatIsThereIsNotTakenAgain) {
  meeting_.serve().join_all();
  const Complaint taken{ExitCode::config, "another process is rank 1 already; give each a rank of its own"};
  EXPECT_EQ(refused(meeting_.options_of(1)), taken);
  EXPECT_EQ(meeting_.heard(0, milliseconds(200)), "");
}

// It may be the same process, which comes early to the next run, and finds the last one's coordinator.
TEST_F(CoordinatorStrangers, ARankThatHasLeftMayTryAgain) {
  meeting_.serve().join_all();
  meeting_[1].goodbye();
  meeting_.client_options.timeout = milliseconds(300);
  const auto refusal = complaint([&] { meeting_.client(1); });
  EXPECT_EQ(refusal.code, ExitCode::peer);
  EXPECT_THAT(refusal.text, testing::HasSubstr("refused: another process is rank 1 already"));
}

TEST_F(CoordinatorStrangers, ComeTooLateOnceSomebodyIsLost) {
  meeting_.serve().join_all();
  meeting_.clients[1].reset();
  meeting_.heard(0);
  meeting_.client_options.timeout = milliseconds(100);
  EXPECT_EQ(complaint([&] { meeting_.client(1); }).text,
            concat("rank 1 waited 0.1 s for the 2 processes of this run; rank 0 at 127.0.0.1:", meeting_.listening.port,
                   ": refused: the run is over: rank 1 is lost: its connection closed"));
}

// A reason may not be found out without the secret.
TEST_F(CoordinatorStrangers, LearnNothingWithoutTheSecret) {
  meeting_.serve();
  auto options = meeting_.options_of(7);
  options.secret = "guess";
  options.attempt = "guess";
  options.world_size = 9;
  EXPECT_THAT(refused(options).text, HasSubstr("the secret is not that of rank 0"));
}

TEST_F(CoordinatorStrangers, OfManyKindsDisturbNobody) {
  meeting_.server_options.handshake = milliseconds(400);
  meeting_.serve().join_all();
  std::atomic<bool> done = false;
  auto work = std::async(std::launch::async, [&] {
    std::int64_t rounds = 0;
    for (; !done; ++rounds) {
      meeting_[0].set("k", concat(rounds));
      if (meeting_[1].get("k", seconds(1)) != concat(rounds)) ADD_FAILURE() << rounds;
    }
    return rounds;
  });
  const auto port = meeting_.listening.port;
  const auto log = log_of([&] {
    RawConnection garbage(port), large(port), early(port), wrong(port), loris(port);
    garbage.send("GET / HTTP/1.1\r\nHost: rank0\r\n\r\n");
    large.send(std::string("\xff\xff\0\0", 4) + std::string(2000, 'x'));
    early.send({.kind = Kind::set, .texts = {"k", "mine"}});
    wrong.send({.kind = Kind::hello, .rank = 1, .number = 2, .texts = {"nonce", std::string(32, 'p'), "a/1"}});
    loris.send(std::string("\x40\0", 2));
    EXPECT_TRUE(garbage.is_closed());
    EXPECT_TRUE(large.is_closed());
    EXPECT_TRUE(early.is_closed());
    EXPECT_TRUE(wrong.is_closed());
    EXPECT_TRUE(loris.is_open());
    for (int i = 0; i < 5; ++i) {
      std::this_thread::sleep_for(milliseconds(50));
      loris.send("\0");
    }
    const auto start = Clock::now();
    EXPECT_TRUE(loris.is_closed());
    EXPECT_LT(Clock::now() - start, milliseconds(600));
  });
  EXPECT_THAT(log, ContainsRegex("it sent what is no message\n(.*\n)*.*it sent what is no message\n"));
  for (const auto* const why : {"it did not prove who it is\n", "the secret is not that of rank 0",
                                "it did not prove who it is within 0.4 s"}) {
    EXPECT_THAT(log, HasSubstr(why));
  }
  done = true;
  EXPECT_GT(work.get(), 20);
  EXPECT_EQ(meeting_.heard(0, milliseconds(0)), "");
}

TEST_F(CoordinatorStrangers, OfMoreThan64TheOldestGoes) {
  meeting_.serve();
  std::vector<std::unique_ptr<RawConnection>> crowd;
  const auto log = log_of([&] {
    const auto start = Clock::now();
    for (int i = 0; i < 136; ++i) crowd.push_back(std::make_unique<RawConnection>(meeting_.listening.port));
    EXPECT_TRUE(crowd[0]->is_closed());
    EXPECT_GE(Clock::now() - start, milliseconds(200)) << "each has its time";
    EXPECT_LT(Clock::now() - start, milliseconds(900));
    EXPECT_TRUE(crowd[71]->is_closed());
    EXPECT_TRUE(crowd[72]->is_open());
    EXPECT_TRUE(crowd[135]->is_open());
    meeting_.join_all();  // past the crowd
    std::this_thread::sleep_for(milliseconds(1100));
  });
  EXPECT_THAT(log, HasSubstr(": others came before it proved who it is\n"));
  EXPECT_THAT(log, ContainsRegex("warning: refused [0-9]+ more connections\n"));
  EXPECT_LE(std::count(log.begin(), log.end(), '\n'), 34);  // 10 a second
}

TEST_F(CoordinatorStrangers, AMemberThatBreaksTheProtocolIsLost) {
  for (const auto& bytes : {std::string(100, 'x'), encode({.kind = Kind::gathered})}) {
    Meeting meeting(2);
    meeting.serve();
    auto coming = std::async(std::launch::async, [&] { meeting.join({0}); });
    RawConnection member(meeting.listening.port);
    EXPECT_TRUE(member.shake_hands(meeting.options_of(1)));
    coming.get();
    member.send(bytes);
    EXPECT_EQ(meeting.heard(0), bytes[0] == 'x' ? "rank 1 is lost: it sent what is no message"
                                                : "rank 1 is lost: it sent what no client sends");
  }
}

TEST_F(CoordinatorStrangers, WhoComesAgainGetsNoAnswersToWhatItAskedBefore) {
  Meeting meeting(3);
  meeting.serve();
  RawConnection other(meeting.listening.port);
  EXPECT_TRUE(other.shake_hands(meeting.options_of(2)));
  {
    RawConnection early(meeting.listening.port);
    EXPECT_TRUE(early.shake_hands(meeting.options_of(1)));
    early.send({.kind = Kind::wait, .id = 7, .number = 60'000, .texts = {"k"}});
    early.send({.kind = Kind::count, .id = 8});
    EXPECT_EQ(early.receive()->id, 8U);
  }
  std::this_thread::sleep_for(milliseconds(50));
  RawConnection again(meeting.listening.port);
  EXPECT_TRUE(again.shake_hands(meeting.options_of(1)));
  other.send({.kind = Kind::set, .id = 9, .texts = {"k", "v"}});
  EXPECT_EQ(other.receive()->id, 9U);
  again.send({.kind = Kind::count, .id = 10});
  EXPECT_EQ(again.receive()->id, 10U);
}

TEST_F(CoordinatorStrangers, AMemberThatDoesNotReadIsLostAndBlocksNobody) {
  auto coming = std::async(std::launch::async, [&] { meeting_.serve().join({0}); });
  std::this_thread::sleep_for(milliseconds(50));
  RawConnection member(meeting_.listening.port);
  EXPECT_TRUE(member.shake_hands(meeting_.options_of(1)));
  coming.get();
  for (std::uint64_t i = 0; i < 1000; ++i) {  // their answers would take 16 GB
    member.send({.kind = Kind::get, .id = i, .number = 60'000, .texts = {"k"}});
  }
  meeting_[0].add("n", 1);
  std::this_thread::sleep_for(milliseconds(50));
  meeting_[0].set("k", std::string(kMaxValue, 'v'));
  EXPECT_EQ(meeting_.heard(0), "rank 1 is lost: it does not read what it asked for");
}

// Rank 0 may end as soon as it hears of a loss, and the server with it.
TEST_F(CoordinatorStrangers, Rank0HearsOfALossOnceTheOthersHaveIt) {
  Meeting meeting(3);
  auto coming = std::async(std::launch::async, [&] { meeting.serve().join({0, 2}); });
  std::this_thread::sleep_for(milliseconds(50));
  RawConnection member(meeting.listening.port);
  EXPECT_TRUE(member.shake_hands(meeting.options_of(1)));
  coming.get();
  meeting[0].set("k", std::string(kMaxValue, 'v'));
  member.send({.kind = Kind::get, .texts = {"k"}});
  meeting[0].num_keys();
  std::this_thread::sleep_for(milliseconds(50));
  const auto start = Clock::now();
  meeting.clients[2].reset();
  EXPECT_EQ(meeting.heard(0), "rank 2 is lost: its connection closed");
  EXPECT_GE(Clock::now() - start, milliseconds(450)) << "rank 1 does not read";
}

// With answers kept for it, a member is not listened to: it cannot ask for ever more.
TEST_F(CoordinatorStrangers, AMemberThatDoesNotReadGetsNoMoreAnswers) {
  meeting_.server_options.silence = milliseconds(700);
  auto coming = std::async(std::launch::async, [&] { meeting_.serve().join({0}); });
  std::this_thread::sleep_for(milliseconds(50));
  RawConnection member(meeting_.listening.port);
  EXPECT_TRUE(member.shake_hands(meeting_.options_of(1)));
  coming.get();
  meeting_[0].set("k", std::string(kMaxValue / 4, 'v'));
  for (std::uint64_t i = 0; i < 50; ++i) member.send({.kind = Kind::get, .id = i, .texts = {"k"}});
  EXPECT_EQ(meeting_[0].add("n", 1), 1);
  EXPECT_THAT(meeting_.heard(0), HasSubstr("rank 1 is lost: it was silent for "));
}

// ---- a door that is not the coordinator's ---------------------------------------------------------------------------

class NoCoordinator : public ::testing::Test {
 protected:
  Meeting meeting_{2};

  // What a client complains about that meets `answer` at its address.
  template <class F>
  Complaint complaint_about(F&& answer) {
    meeting_.client_options.timeout = milliseconds(300);
    auto client = std::async(std::launch::async, [&] { return complaint([&] { meeting_.client(1); }); });
    {
      RawConnection server(meeting_.listening);
      answer(server);
      server.is_closed();
    }
    ::close(std::exchange(meeting_.listening.descriptor, -1));
    auto found = client.get();
    const auto place = concat("rank 0 at 127.0.0.1:", meeting_.listening.port, ": ");
    const auto start = found.text.find(place);
    if (start != std::string::npos) found.text.erase(0, start + place.size());
    return found;
  }
  static Message challenge() { return {.kind = Kind::challenge, .number = kProtocol, .texts = {"nonce"}}; }
};

TEST_F(NoCoordinator, AnotherVersionIsSaid) {
  EXPECT_EQ(
      complaint_about([](auto& server) { server.send({.kind = Kind::challenge, .number = 2, .texts = {"nonce"}}); }),
      (Complaint{ExitCode::config,
                 "it speaks version 2 of the protocol, this process version 1; run the same program everywhere"}));
}

TEST_F(NoCoordinator, WhatSaysNothingIsGivenUpAtTheDeadline) {
  EXPECT_EQ(complaint_about([](auto&) {}), (Complaint{ExitCode::peer, "it does not answer"}));
}

// The deadline comes while the client still tries again: so these texts are seen only by asking once.
class NoCoordinatorOnce : public NoCoordinator {
 protected:
  template <class F>
  Complaint complaint_about(F&& answer) {
    int asked = 0;
    meeting_.client_options.address = [this, &asked]() -> std::optional<Address> {
      if (++asked == 1) return Address{"127.0.0.1", meeting_.listening.port};
      throw Error(ExitCode::no_input, "asked again");
    };
    return NoCoordinator::complaint_about(std::forward<F>(answer));
  }
};

TEST_F(NoCoordinatorOnce, WhoDoesNotKnowTheSecretIsNotBelieved) {
  EXPECT_EQ(complaint_about([](auto& server) {
              server.send(challenge());
              server.receive();
              server.send({.kind = Kind::welcome, .texts = {std::string(32, 'p')}});
              server.send({.kind = Kind::gathered});
            }),
            (Complaint{ExitCode::no_input, "asked again"}));
}

TEST_F(NoCoordinatorOnce, NobodyGathersWhoIsNotWelcome) {
  EXPECT_EQ(complaint_about([](auto& server) {
              server.send(challenge());
              server.receive();
              server.send({.kind = Kind::gathered});
            }),
            (Complaint{ExitCode::no_input, "asked again"}));
}

TEST_F(NoCoordinatorOnce, NobodyIsWelcomeBeforeHeSaysHello) {
  EXPECT_EQ(complaint_about([](auto& server) {
              server.send({.kind = Kind::welcome, .texts = {proof("secret", Role::server, {})}});
              server.send({.kind = Kind::gathered});
            }),
            (Complaint{ExitCode::no_input, "asked again"}));
}

TEST_F(NoCoordinatorOnce, GarbageIsNoCoordinator) {
  EXPECT_EQ(complaint_about([](auto& server) { server.send("SSH-2.0-OpenSSH_9.2p1 Debian-2\r\n"); }),
            (Complaint{ExitCode::no_input, "asked again"}));
}

}  // namespace
}  // namespace peerless::cluster
