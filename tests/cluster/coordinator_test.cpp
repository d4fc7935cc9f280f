// Clients and their server, all in one process.
#include <fcntl.h>
#include <gmock/gmock.h>
#include <netinet/tcp.h>

#include <filesystem>

#include "tests/cluster/fixture.h"
#include "tests/support/complaint.h"

namespace peerless::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using test::complaint;
using test::Complaint;
using test::Meeting;

constexpr auto kQuiet = milliseconds(200);  // long enough for a wrong loss to show

// ---- meeting --------------------------------------------------------------------------------------------------------

TEST(Coordinator, AllMeetWhateverTheOrder) {
  Meeting meeting(5);
  auto first = std::async(std::launch::async, [&] { meeting.join({3, 0, 4}); });
  std::this_thread::sleep_for(milliseconds(60));  // nobody listens to them yet
  meeting.serve();
  std::this_thread::sleep_for(milliseconds(60));
  EXPECT_EQ(first.wait_for(milliseconds(0)), std::future_status::timeout) << "two are missing";
  meeting.join({1, 2});
  first.get();
  EXPECT_EQ(meeting[3].num_keys(), 0);
}

TEST(Coordinator, AWorldOfOneMeetsItself) {
  Meeting meeting(1);
  meeting.serve().join_all();
  EXPECT_EQ(meeting[0].add("n", 2), 2);
}

TEST(Coordinator, WithoutASecretTheSameStepsAreTaken) {
  Meeting meeting(2);
  meeting.server_options.secret = meeting.client_options.secret = "";
  meeting.serve().join_all();
  EXPECT_EQ(meeting[1].num_keys(), 0);
}

TEST(Coordinator, MissingRanksAreNamed) {
  Meeting meeting(10);
  meeting.client_options.timeout = milliseconds(300);
  meeting.serve();
  const auto message = [](std::int64_t rank) {
    return concat("rank ", rank, " waited 0.3 s for the 10 processes of this run; missing ranks: 1, 3-4, 6-9");
  };
  std::vector<std::future<Complaint>> complaints;
  for (const std::int64_t rank : {0, 2, 5}) {
    complaints.push_back(
        std::async(std::launch::async, [&, rank] { return complaint([&] { meeting.client(rank); }); }));
  }
  for (const std::int64_t rank : {0, 2, 5}) {
    EXPECT_EQ(complaints[static_cast<std::size_t>(rank / 2)].get(), (Complaint{ExitCode::peer, message(rank)}));
  }
}

TEST(Coordinator, ARankMayComeGoAndComeAgainWhileOthersAreMissing) {
  Meeting meeting(2);
  meeting.serve();
  {
    test::RawConnection early(meeting.listening.port);
    EXPECT_TRUE(early.shake_hands(meeting.options_of(1)));
  }
  meeting.join_all();
  EXPECT_EQ(meeting[1].num_keys(), 0);
  EXPECT_EQ(meeting.heard(0, kQuiet), "");
}

TEST(Coordinator, NobodyThereIsSaidAtTheDeadline) {
  Meeting meeting(2);
  const auto port = test::port_nobody_listens_at();
  meeting.client_options.address = test::at(port);
  meeting.client_options.timeout = milliseconds(150);
  const auto text =
      concat("rank 1 waited 0.2 s for the 2 processes of this run; cannot connect to rank 0 at 127.0.0.1:", port,
             ": Connection refused");
  EXPECT_EQ(complaint([&] { meeting.client(1); }), (Complaint{ExitCode::peer, text}));
  meeting.client_options.address = [] { return std::nullopt; };
  EXPECT_EQ(complaint(ExitCode::peer, [&] { meeting.client(1); }),
            "rank 1 waited 0.2 s for the 2 processes of this run; the address of rank 0 is not known yet");
}

TEST(Coordinator, TheNameOfAnAttemptIsBounded) {
  Meeting meeting(1);
  meeting.server_options.attempt = meeting.client_options.attempt = std::string(512, 'a');
  meeting.serve().join_all();
  meeting.client_options.attempt += 'a';
  EXPECT_EQ(complaint([&] { meeting.client(0); }),
            (Complaint{ExitCode::config, concat("the name of the attempt has 513 bytes, at most 512 are possible: '",
                                                std::string(40, 'a'), "...'")}));
}

TEST(Coordinator, AHostThatDoesNotExistIsNotWaitedFor) {
  Meeting meeting(2);
  meeting.client_options.address = [] { return Address{"no..host", 1}; };
  EXPECT_EQ(complaint([&] { meeting.client(1); }),
            (Complaint{
                ExitCode::config,
                "host 'no..host' of rank 0 does not resolve here: Name or service not known; set MASTER_ADDR to a name "
                "or address that all hosts know"}));
}

TEST(Coordinator, TheAddressIsAskedForBeforeEachAttempt) {
  Meeting meeting(1);
  meeting.serve();
  int asked = 0;
  const auto stale = test::port_nobody_listens_at();
  meeting.client_options.address = [&]() -> std::optional<Address> {
    switch (++asked) {
      case 1:
        return std::nullopt;
      case 2:
        throw Error(ExitCode::peer, "no store yet");
      case 3:
        return Address{"127.0.0.1", stale};
      default:
        return Address{"127.0.0.1", meeting.listening.port};
    }
  };
  meeting.join_all();
  EXPECT_EQ(asked, 4);
}

TEST(Coordinator, WhatSaysNothingIsPassedBy) {
  const auto mute = test::listen_on_loopback();
  Meeting meeting(1);
  meeting.client_options.handshake = milliseconds(50);
  meeting.serve();
  int asked = 0;
  meeting.client_options.address = [&] {
    return Address{"127.0.0.1", ++asked == 1 ? mute.port : meeting.listening.port};
  };
  meeting.join_all();
  EXPECT_EQ(asked, 2);
  ::close(mute.descriptor);
}

TEST(Coordinator, TheCoordinatorOfAnAttemptBeforeIsPassedBy) {
  Meeting old(2);
  old.server_options.attempt = "a/0";
  old.serve();
  Meeting meeting(2);
  meeting.serve();
  std::atomic<int> asked = 0;
  meeting.client_options.address = [&] {
    return Address{"127.0.0.1", ++asked <= 4 ? old.listening.port : meeting.listening.port};
  };
  meeting.join_all();
  EXPECT_GE(asked, 6);

  old.client_options.timeout = milliseconds(100);
  EXPECT_EQ(
      complaint([&] { old.client(1); }),
      (Complaint{ExitCode::peer, concat("rank 1 waited 0.1 s for the 2 processes of this run; rank 0 at 127.0.0.1:",
                                        old.listening.port, ": refused: attempt 'a/1' is not that of rank 0, 'a/0'")}));
}

// ---- the store ------------------------------------------------------------------------------------------------------

TEST(Coordinator, ClientsShareAStore) {
  Meeting meeting(2);
  meeting.serve().join_all();
  auto& a = meeting[0];
  auto& b = meeting[1];
  const std::string bytes("\0\xff", 2);
  a.set("k", bytes);
  EXPECT_EQ(b.get("k", seconds(0)), bytes);
  a.append("k", "!");
  a.set("l", "L");
  EXPECT_EQ(b.get_all({"l", "k"}, seconds(0)), (std::vector<std::string>{"L", bytes + "!"}));
  EXPECT_EQ(b.add("n", 40), 40);
  EXPECT_EQ(a.add("n", 2), 42);
  EXPECT_EQ(a.get("n", seconds(0)), "42");
  EXPECT_EQ(b.compare_set("c", "", "first"), "first");
  EXPECT_EQ(a.compare_set("c", "", "second"), "first");
  EXPECT_TRUE(a.check({"k", "l", "n", "c"}));
  EXPECT_FALSE(a.check({"k", "x"}));
  EXPECT_EQ(a.num_keys(), 4);
  EXPECT_TRUE(b.remove("k"));
  EXPECT_FALSE(a.remove("k"));
  EXPECT_EQ(complaint([&] { a.get("k", milliseconds(100)); }),
            (Complaint{ExitCode::peer, "the store: nobody set key 'k' within 0.1 s"}));
}

TEST(Coordinator, AGetWaitsForTheSet) {
  Meeting meeting(2);
  meeting.serve().join_all();
  auto value = std::async(std::launch::async, [&] { return meeting[1].get("k", seconds(10)); });
  auto there = std::async(std::launch::async, [&] { meeting[1].wait({"k"}, seconds(10)); });
  EXPECT_EQ(value.wait_for(milliseconds(50)), std::future_status::timeout);
  EXPECT_EQ(meeting[1].add("n", 1), 1) << "others are served while one waits";
  meeting[0].set("k", "v");
  EXPECT_EQ(value.get(), "v");
  there.get();
}

TEST(Coordinator, ARequestBeyondTheBoundsFailsAlone) {
  Meeting meeting(2);
  meeting.serve().join_all();
  EXPECT_EQ(complaint([&] { meeting[1].set(std::string(1025, 'k'), ""); }),
            (Complaint{ExitCode::internal, "the store takes no key of 1025 bytes, at most 1024"}));
  EXPECT_EQ(complaint([&] { meeting[1].set("k", std::string(3 * kMaxValue, 'v')); }),
            (Complaint{ExitCode::internal, "the store takes no request of 50331686 bytes, at most 34603008"}));
  EXPECT_EQ(meeting[1].add("n", 1), 1);
  EXPECT_EQ(meeting[0].add("n", 1), 2);
}

TEST(Coordinator, ManyThreadsAskAtOnce) {
  constexpr int kThreads = 4;
  constexpr int kEach = 100;
  Meeting meeting(3);
  meeting.serve().join_all();
  std::vector<std::future<void>> work;
  for (std::size_t thread = 0; thread < 3 * kThreads; ++thread) {
    work.push_back(std::async(std::launch::async, [&, thread] {
      auto& client = meeting[thread % 3];
      for (int i = 0; i < kEach; ++i) {
        client.add("n", 1);
        const auto key = concat(thread, "/", i);
        client.set(key, key);
        if (client.get(key, seconds(5)) != key) ADD_FAILURE() << key;
        client.set_activity(key);
      }
    }));
  }
  for (auto& one : work) one.get();
  EXPECT_EQ(meeting[0].add("n", 0), 3 * kThreads * kEach);
}

// More than a socket's buffers hold, in both directions at once: what waits to be sent blocks nobody.
TEST(Coordinator, TheLargestValuesPassForManyThreadsAtOnce) {
  Meeting meeting(2);
  meeting.client_options.silence = meeting.server_options.silence = seconds(20);
  meeting.serve().join_all();
  std::vector<std::future<void>> work;
  for (std::size_t thread = 0; thread < 6; ++thread) {
    work.push_back(std::async(std::launch::async, [&, thread] {
      const std::string value(kMaxValue, static_cast<char>('a' + thread));
      meeting[thread % 2].set(concat(thread), value);
      if (meeting[(thread + 1) % 2].get(concat(thread), seconds(20)) != value) ADD_FAILURE() << thread;
    }));
  }
  for (auto& one : work) one.get();
  EXPECT_EQ(meeting[0].num_keys(), 6);
}

// ---- descriptors ----------------------------------------------------------------------------------------------------

// The sockets and eventfds of this process.
std::vector<int> descriptors() {
  std::vector<int> found;
  for (const auto& entry : std::filesystem::directory_iterator("/proc/self/fd")) {
    std::error_code gone;
    const auto target = std::filesystem::read_symlink(entry.path(), gone).string();
    const int descriptor = std::stoi(entry.path().filename());
    if (descriptor > 2 && (target.starts_with("socket:") || target == "anon_inode:[eventfd]"))
      found.push_back(descriptor);
  }
  return found;
}

TEST(Coordinator, NoDescriptorIsInheritedByPrograms) {
  Meeting meeting(2);
  meeting.serve().join_all();
  const auto all = descriptors();
  EXPECT_GE(all.size(), 1U + 1 + 2 * 3);
  for (const int descriptor : all) EXPECT_TRUE(::fcntl(descriptor, F_GETFD) & FD_CLOEXEC) << descriptor;
}

TEST(Coordinator, AHalfOpenConnectionEndsWithinTheSilence) {
  Meeting meeting(2);
  meeting.server_options.silence = meeting.client_options.silence = seconds(8);
  meeting.serve().join_all();
  int connections = 0;
  for (const int descriptor : descriptors()) {
    const auto option = [descriptor](int level, int name) {
      int value = -1;
      socklen_t size = sizeof(value);
      ::getsockopt(descriptor, level, name, &value, &size);
      return value;
    };
    if (option(SOL_SOCKET, SO_TYPE) != SOCK_STREAM || option(SOL_SOCKET, SO_ACCEPTCONN) == 1) continue;
    ++connections;
    EXPECT_EQ(option(IPPROTO_TCP, TCP_NODELAY), 1);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_USER_TIMEOUT), 8000);
    EXPECT_EQ(option(SOL_SOCKET, SO_KEEPALIVE), 1);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPIDLE), 2);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPINTVL), 2);
    EXPECT_EQ(option(IPPROTO_TCP, TCP_KEEPCNT), 3);
  }
  EXPECT_EQ(connections, 4);
}

}  // namespace
}  // namespace peerless::cluster
