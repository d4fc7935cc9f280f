// Processes of a run that die, hang, or are strangers to it.
#include <arpa/inet.h>
#include <gmock/gmock.h>
#include <netinet/in.h>
#include <sys/socket.h>

#include <regex>
#include <set>

#include "peerless/base/text.h"
#include "tests/cli/several.h"

namespace peerless {
namespace {

using test::Outcome;
using test::Process;
using ::testing::ContainsRegex;
using ::testing::HasSubstr;
using ::testing::Not;
using Clock = std::chrono::steady_clock;

constexpr int kPeer = 76;

class Failures : public test::Several {
 protected:
  // Steps that take a while, so that something can happen in the midst of them.
  std::vector<Process> start_long(int processes, const std::string& name, test::Settings settings = {}) {
    settings.insert(settings.end(), {"train.global_batch_size=24", "train.max_steps=5000",
                                     "checkpoint.every_steps=5000", "eval.every_steps=0"});
    auto started = start(processes, name, settings);
    EXPECT_TRUE(started[0].prints("step 9/5000"));
    return started;
  }
  // The exit code of each but one, and that all of them came in time.
  void expect_lost(const std::vector<Process>& started, std::size_t victim, const char* text,
                   std::chrono::seconds within) {
    const auto begin = Clock::now();
    for (std::size_t rank = 0; rank < started.size(); ++rank) {
      if (rank == victim) continue;
      const auto outcome = started[rank].wait();
      EXPECT_EQ(outcome.code, kPeer) << outcome;
      EXPECT_THAT(outcome.err,
                  ContainsRegex(std::string("FATAL PEER rank=[0-9]+ host=[^ ]+( step=[0-9]+)? what=\"") + text));
      EXPECT_THAT(outcome.err, ContainsRegex("this process was at step [0-9]+: "));
    }
    EXPECT_LT(Clock::now() - begin, within);
  }
};

TEST_F(Failures, OneThatDiesEndsAllAtOnce) {
  for (const std::size_t victim : {1, 2, 0}) {
    const auto name = "dead" + std::to_string(victim);
    const auto started = start_long(3, name);
    started[victim].signal(SIGKILL);
    const auto text = concat("rank ", victim, " is lost: its connection closed");
    expect_lost(started, victim, text.c_str(), std::chrono::seconds(5));
    started[victim].wait();
    const auto status = test::content(job.of_run(name) / "status.json");
    EXPECT_THAT(status, HasSubstr(victim == 0 ? "\"running\"" : "\"failed\",\"code\":76"));
  }
}

// A stop in order takes all of them.
TEST_F(Failures, SurvivorsThatAreAskedToStopSayWhoIsLost) {
  const auto dead = start_long(3, "dead");
  dead[2].signal(SIGKILL);
  for (const int rank : {0, 1}) dead[rank].signal(SIGTERM);
  expect_lost(dead, 2, "rank 2 is lost: its connection closed", std::chrono::seconds(5));
  EXPECT_THAT(dead[0].printed(), Not(HasSubstr("is durable")));
  dead[2].wait();

  const auto hung = start_long(3, "hung", {"parallel.timeout_seconds=3"});
  hung[2].signal(SIGSTOP);
  hung[0].signal(SIGTERM);
  expect_lost(hung, 2, "rank 2 is lost: it was silent for [34]", std::chrono::seconds(3 + 5));
  hung[2].signal(SIGKILL);
  hung[2].wait();
}

TEST_F(Failures, ARestartGoesOn) {
  const test::Settings settings{"train.max_steps=60", "train.global_batch_size=24"};
  const auto started = start(3, "a", settings);
  ASSERT_TRUE(started[0].prints("step 25/60"));
  started[2].signal(SIGKILL);
  EXPECT_EQ(wait(started)[0].code, kPeer);
  const auto again = train(3, "a", settings);
  expect_all(again, 0);
  EXPECT_THAT(again[0].err, ContainsRegex("resuming from runs/a/checkpoints/step-0000000000[1-5]0"));
  expect_all(train(3, "whole", settings), 0);
  expect_same_runs("whole", "a");
}

// It lives, yet does nothing: its silence is noticed. Once it goes on, it hears that it is lost, and harms nobody.
TEST_F(Failures, OneThatIsStoppedEndsAllWithinTheTimeout) {
  for (const std::size_t victim : {1, 0}) {
    const auto started = start_long(3, "hung" + std::to_string(victim), {"parallel.timeout_seconds=3"});
    started[victim].signal(SIGSTOP);
    const auto text = concat("rank ", victim, " is lost: it was silent for [34]");
    expect_lost(started, victim, text.c_str(), std::chrono::seconds(3 + 5));
    started[victim].signal(SIGCONT);
    const auto zombie = started[victim].wait();
    EXPECT_EQ(zombie.code, kPeer) << zombie;
  }
}

TEST_F(Failures, WhatEachDidIsTold) {
  const auto started = start_long(3, "a", {"parallel.timeout_seconds=3"});
  std::this_thread::sleep_for(std::chrono::milliseconds(1200));  // each says once a second what it does
  started[2].signal(SIGSTOP);
  const auto told = started[0].wait().err;
  for (const int rank : {0, 1, 2})
    EXPECT_THAT(told, ContainsRegex(concat("error:   rank ", rank, ": step [0-9]+: [a-z, ]+, for [0-9.]+ s; [0-9]+ ",
                                           "exchanges begun; heard of [0-9.]+ s ago")));
  EXPECT_THAT(test::content(job.of_run("a") / "log.txt"), HasSubstr("exchanges begun"));
  started[2].signal(SIGKILL);
  wait({started[1], started[2]});
}

TEST_F(Failures, OneThatDoesNotComeIsNamed) {
  auto flags = meet(0, 3, "file:meeting");
  flags.push_back("parallel.timeout_seconds=1");
  const auto outcome = job.train("a", flags);
  EXPECT_EQ(outcome.code, kPeer) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("what=\"rank 0 waited 1 s for the 3 processes of this run; missing ranks: "
                                     "1-2\"\n"));
}

// ---- strangers ------------------------------------------------------------------------------------------------------

struct Listening {
  std::string address;  // as the kernel prints it, in hexadecimal digits
  std::uint16_t port;
};

// The TCP sockets at which a process listens.
std::vector<Listening> listening(const Process& process) {
  const auto proc = std::filesystem::path("/proc") / std::to_string(process.id());
  std::set<std::string> own;
  for (const auto& entry : std::filesystem::directory_iterator(proc / "fd")) {
    std::error_code gone;
    own.insert(std::filesystem::read_symlink(entry.path(), gone).string());
  }
  std::vector<Listening> found;
  for (const char* const table : {"tcp", "tcp6"}) {
    std::istringstream lines(test::content(proc / "net" / table));
    const std::regex row(R"( *\d+: ([0-9A-F]+):([0-9A-F]{4}) [0-9A-F:]+ 0A (?:\S+ +){5}(\d+) .*)");  // 0A: listens
    for (std::string line; std::getline(lines, line);) {
      std::smatch parts;
      if (std::regex_match(line, parts, row) && own.contains("socket:[" + parts[3].str() + "]"))
        found.push_back({parts[1], static_cast<std::uint16_t>(std::stoi(parts[2], nullptr, 16))});
    }
  }
  return found;
}

TEST_F(Failures, OnOneHostNobodyListensOffTheLoopbackAddress) {
  const auto started = start_long(2, "a");
  for (const auto& process : started) {
    const auto sockets = listening(process);
    EXPECT_FALSE(sockets.empty());
    for (const auto& socket : sockets) EXPECT_EQ(socket.address, "0100007F") << socket.port;
  }
  for (const auto& process : started) process.signal(SIGKILL);
  wait(started);
}

// Says something to whoever listens there, and stays.
int intrude(std::uint16_t port, const std::string& words) {
  const int stranger = socket(AF_INET, SOCK_STREAM, 0);
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  EXPECT_EQ(connect(stranger, reinterpret_cast<const sockaddr*>(&address), sizeof address), 0) << port;
  send(stranger, words.data(), words.size(), MSG_NOSIGNAL);
  return stranger;
}

class WithSecret : public Failures {
 protected:
  void SetUp() override { setenv("PEERLESS_SECRET", "known to all of them", 1); }
  void TearDown() override { unsetenv("PEERLESS_SECRET"); }
};

TEST_F(WithSecret, StrangersDisturbNobody) {
  const test::Settings settings{"train.max_steps=40", "train.global_batch_size=64"};
  const auto started = start(2, "a", settings);
  ASSERT_TRUE(started[0].prints("step 3/40"));
  std::vector<int> strangers;
  for (const auto& process : started)
    for (const auto& socket : listening(process))
      for (const auto& words : {std::string(), std::string("GET / HTTP/1.1\r\n\r\n"), std::string(4096, '\xff')})
        strangers.push_back(intrude(socket.port, words));
  EXPECT_GE(strangers.size(), 9u);
  const auto outcomes = wait(started);
  for (const int stranger : strangers) close(stranger);
  expect_all(outcomes, 0);
  EXPECT_THAT(outcomes[0].err, ContainsRegex("warning: refused 127.0.0.1:[0-9]+: it sent what is no message"));
}

TEST_F(WithSecret, WhoHasAnotherOneIsRefused) {
  const auto flags = [&](int rank) {
    auto all = meet(rank, 2, "file:meeting");
    all.push_back("parallel.timeout_seconds=3");
    return all;
  };
  const auto first = job.start("a", flags(0));
  setenv("PEERLESS_SECRET", "a guess of sixteen bytes", 1);
  const auto stranger = job.train("a", flags(1));
  EXPECT_EQ(stranger.code, 78) << stranger;
  EXPECT_THAT(stranger.err, HasSubstr("the secret is not that of rank 0; give all processes the same one"));
  EXPECT_EQ(first.wait().code, kPeer);
}

}  // namespace
}  // namespace peerless
