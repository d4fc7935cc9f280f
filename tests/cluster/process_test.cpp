// The processes of a run, which are killed and stopped.
#include <gmock/gmock.h>
#include <signal.h>
#include <sys/wait.h>

#include <atomic>

#include "tests/cluster/fixture.h"

namespace peerless::cluster {
namespace {

using std::chrono::milliseconds;
using std::chrono::seconds;
using ::testing::Each;
using ::testing::MatchesRegex;

constexpr int kHeardLoss = 76;

// Each process has one rank, rank 0 the server. It says by a pipe that all are here, what it does then, and which loss
// it hears of: that ends it at once.
class Processes {
 public:
  using Body = std::function<void(Client&, std::unique_ptr<Server>&, std::int64_t rank)>;

  explicit Processes(std::int64_t world_size, const Body& body = wait_for_ever, milliseconds silence = seconds(30)) {
    const auto listening = test::listen_on_loopback();
    for (std::int64_t rank = 0; rank < world_size; ++rank) start(rank, world_size, listening, silence, body);
    ::close(listening.descriptor);
    for (std::size_t rank = 0; rank < pids_.size(); ++rank) EXPECT_EQ(line(rank), "all are here") << rank;
  }
  ~Processes() {
    for (std::size_t rank = 0; rank < pids_.size(); ++rank) {
      ::kill(pids_[rank], SIGKILL);
      if (!ended_[rank]) ::waitpid(pids_[rank], nullptr, 0);
      ::close(pipes_[rank]);
    }
  }
  Processes(const Processes&) = delete;
  Processes& operator=(const Processes&) = delete;

  void signal(std::size_t rank, int number) const { ::kill(pids_[rank], number); }

  // What a process says next; "" when it ends without, or says nothing for so long.
  std::string line(std::size_t rank, milliseconds time = seconds(10)) const {
    const auto until = Clock::now() + time;
    std::string text;
    pollfd waiting{pipes_[rank], POLLIN, 0};
    for (char byte = 0; byte != '\n';) {
      const auto left = std::chrono::ceil<milliseconds>(until - Clock::now()).count();
      if (left <= 0 || ::poll(&waiting, 1, static_cast<int>(left)) != 1 || ::read(pipes_[rank], &byte, 1) != 1) break;
      if (byte != '\n') text += byte;
    }
    return text;
  }
  // What all others than `but` say next.
  std::vector<std::string> lines_of_others(std::size_t but, milliseconds time = seconds(10)) const {
    std::vector<std::string> lines;
    for (std::size_t rank = 0; rank < pids_.size(); ++rank) {
      if (rank != but) lines.push_back(line(rank, time));
    }
    return lines;
  }
  // The exit code, or 128 + the signal that ended it.
  int code(std::size_t rank) {
    int status = 0;
    ::waitpid(pids_[rank], &status, 0);
    ended_[rank] = true;
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
  }

  static void wait_for_ever(Client&, std::unique_ptr<Server>&, std::int64_t) {
    for (;;) ::pause();
  }

 private:
  static void say(int pipe, const std::string& text) {
    const auto written = ::write(pipe, (text + "\n").data(), text.size() + 1);
    if (written < 0) ::_exit(1);
  }

  void start(std::int64_t rank, std::int64_t world_size, const test::Listening& listening, milliseconds silence,
             const Body& body) {
    std::array<int, 2> ends{};
    if (::pipe(ends.data()) != 0) FAIL();
    const pid_t child = ::fork();
    if (child == 0) {
      run(rank, world_size, listening, silence, body, ends[1]);
      ::_exit(0);
    }
    ::close(ends[1]);
    pids_.push_back(child);
    pipes_.push_back(ends[0]);
    ended_.push_back(false);
  }

  static void run(std::int64_t rank, std::int64_t world_size, const test::Listening& listening, milliseconds silence,
                  const Body& body, int pipe) {
    std::unique_ptr<Server> server;
    if (rank == 0) {
      server = std::make_unique<Server>(
          listening.descriptor,
          Server::Options{.world_size = world_size, .attempt = "a", .secret = "s", .silence = silence});
    } else {
      ::close(listening.descriptor);
    }
    std::atomic<bool> met = false;
    const auto on_loss = [pipe, &met](const Loss& loss) {
      met.wait(false);  // it can come with the word that all are here
      say(pipe, loss.text());
      ::_exit(kHeardLoss);
    };
    try {
      Client client({.rank = rank,
                     .world_size = world_size,
                     .attempt = "a",
                     .secret = "s",
                     .address = test::at(listening.port),
                     .on_loss = on_loss,
                     .timeout = seconds(20),
                     .silence = silence,
                     .beat = milliseconds(50)});
      say(pipe, "all are here");
      met = true;
      met.notify_all();
      body(client, server, rank);
    } catch (const std::exception& error) {
      say(pipe, error.what());
      ::_exit(1);
    }
  }

  std::vector<pid_t> pids_;
  std::vector<int> pipes_;
  std::vector<bool> ended_;
};

TEST(CoordinatorProcesses, AllHearAtOnceOfOneThatIsKilled) {
  Processes processes(5);
  const auto start = Clock::now();
  processes.signal(3, SIGKILL);
  EXPECT_THAT(processes.lines_of_others(3), Each("rank 3 is lost: its connection closed"));
  EXPECT_LT(Clock::now() - start, seconds(1));
}

// Each ends as soon as it hears, rank 0 and its server too: nobody may take one of them for the culprit.
TEST(CoordinatorProcesses, AllHearOfTheSameOneHoweverFastTheyEnd) {
  for (std::size_t victim = 1; victim < 6; ++victim) {
    Processes processes(12);
    processes.signal(victim, SIGKILL);
    EXPECT_THAT(processes.lines_of_others(victim), Each(concat("rank ", victim, " is lost: its connection closed")));
  }
}

TEST(CoordinatorProcesses, OfTwoThatAreKilledAllHearOfTheSame) {
  Processes processes(6);
  processes.signal(2, SIGKILL);
  processes.signal(4, SIGKILL);
  const auto first = processes.line(0);
  EXPECT_THAT(first, MatchesRegex("rank [24] is lost: its connection closed"));
  for (const std::size_t rank : {1, 3, 5}) EXPECT_EQ(processes.line(rank), first);
}

TEST(CoordinatorProcesses, OneThatEndsWithoutGoodbyeIsLost) {
  Processes processes(3, [](auto& client, auto& server, std::int64_t rank) {
    if (rank != 1) Processes::wait_for_ever(client, server, rank);
  });
  EXPECT_THAT(processes.lines_of_others(1), Each("rank 1 is lost: its connection closed"));
  EXPECT_EQ(processes.code(1), 0);
}

TEST(CoordinatorProcesses, OneThatIsStoppedIsLostAndHearsItWhenItGoesOn) {
  Processes processes(4, Processes::wait_for_ever, milliseconds(600));
  const auto start = Clock::now();
  processes.signal(2, SIGSTOP);
  EXPECT_THAT(processes.lines_of_others(2), Each(MatchesRegex("rank 2 is lost: it was silent for [0-9.]+ s")));
  EXPECT_GE(Clock::now() - start, milliseconds(550));
  processes.signal(2, SIGCONT);
  EXPECT_THAT(processes.line(2), MatchesRegex("rank 2 is lost: it was silent for [0-9.]+ s"));
  EXPECT_EQ(processes.code(2), kHeardLoss);
}

TEST(CoordinatorProcesses, WhenAllAreStoppedForLongNobodyIsLost) {
  for (const std::vector<std::size_t>& order : {std::vector<std::size_t>{0, 1, 2}, {1, 2, 0}}) {
    Processes processes(3, Processes::wait_for_ever, milliseconds(500));
    for (const auto rank : order) processes.signal(rank, SIGSTOP);
    std::this_thread::sleep_for(milliseconds(600));
    for (const auto rank : order) {
      processes.signal(rank, SIGCONT);
      std::this_thread::sleep_for(milliseconds(70));
    }
    EXPECT_THAT(processes.lines_of_others(3, milliseconds(70)), Each(""));
  }
}

TEST(CoordinatorProcesses, WhenRank0IsKilledAllReportIt) {
  Processes processes(4);
  processes.signal(0, SIGKILL);
  EXPECT_THAT(processes.lines_of_others(0), Each("rank 0 is lost: its connection closed"));
}

TEST(CoordinatorProcesses, WhenRank0IsStoppedAllReportIt) {
  Processes processes(4, Processes::wait_for_ever, milliseconds(600));
  processes.signal(0, SIGSTOP);
  EXPECT_THAT(processes.lines_of_others(0), Each(MatchesRegex("rank 0 is lost: it was silent for [0-9.]+ s")));
}

TEST(CoordinatorProcesses, GoodbyesAreSilentInWhateverOrder) {
  Processes processes(6, [](auto& client, auto& server, std::int64_t rank) {
    std::this_thread::sleep_for(milliseconds(30 * (rank * 4 % 6)));
    client.goodbye();
    server.reset();
  });
  EXPECT_THAT(processes.lines_of_others(6), Each(""));
  for (std::size_t rank = 0; rank < 6; ++rank) EXPECT_EQ(processes.code(rank), 0) << rank;
}

TEST(CoordinatorProcesses, ALossDuringAStoreWorkloadEndsIt) {
  Processes processes(4, [](auto& client, auto&, std::int64_t) {
    for (;;) client.add("n", 1);
  });
  processes.signal(1, SIGKILL);
  for (const std::size_t rank : {0, 2, 3}) {
    EXPECT_EQ(processes.line(rank), "rank 1 is lost: its connection closed");
  }
}

}  // namespace
}  // namespace peerless::cluster
