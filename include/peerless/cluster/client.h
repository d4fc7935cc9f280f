// A process's connection to the coordinator of its run (server.h): it meets the others, shares a store with
// them, says what it does, and hears who is lost.
//
//   Client client({.rank = 1, .world_size = 2, ..., .on_loss = [](const Loss& loss) { ... }});
//   client.set("address", mine);
//   client.set_activity("step 120, backward");   // as often as one likes
//   client.goodbye();                            // without it, the others lose this rank; or client.fail(why)
//
// Meeting   The constructor tries to reach rank 0 until `timeout`, asking for its address before each attempt, as an
//           address may be none yet or that of an attempt before; it returns when all processes are there
// Losses    on_loss runs once, on a thread of the client's, with the one loss that the server found for all; or with
//           the loss of rank 0, if the connection to the server closes or nothing is heard from it for `silence`. When
//           it returns, all requests throw what the loss says. It may end the process; it must not throw, say goodbye
//           or destroy
// Errors    Error(peer)      not all came in time: names the missing ranks, or why rank 0 cannot be reached. A request:
//                            a loss, time is up, or this process or rank 0 has left
//           Error(preempted) stopped() while it met the others
//           Error(config)    rank 0 refuses this process, and says why; the name of its host does not exist
//           Error(internal)  a request beyond the store's bounds (store.h)
// Threads   all but the constructor and the destructor from any thread at once. The destructor waits for on_loss only
#pragma once

#include <atomic>
#include <condition_variable>
#include <functional>
#include <map>
#include <mutex>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "peerless/base/text.h"
#include "peerless/cluster/link.h"
#include "peerless/cluster/message.h"
#include "peerless/cluster/proof.h"

namespace peerless::cluster {

struct Address {
  std::string host;
  std::uint16_t port;
  std::string start = {};  // what rank 0 published beside it: which of its starts it is, the end of the attempt's name
  bool operator==(const Address&) const = default;
};

struct Loss {
  std::int64_t rank;
  std::string why;
  std::string activity = {};                  // of the process that hears of it
  std::vector<RankActivity> activities = {};  // of all ranks; empty where the server is lost
  std::string text() const { return concat("rank ", rank, " is lost: ", why); }
};

class Client {
 public:
  using Keys = std::vector<std::string>;
  using Milliseconds = std::chrono::milliseconds;

  struct Options {
    std::int64_t rank = 0;
    std::int64_t world_size = 1;
    std::string attempt;  // at most 512 bytes
    std::string secret;   // empty: none
    // None: not known yet. An Error(peer) of it counts as a failed attempt, another one ends the constructor.
    std::function<std::optional<Address>()> address;
    std::function<void(const Loss&)> on_loss;
    std::function<bool()> stopped = [] { return false; };  // asked while it meets: whether to give up
    Milliseconds timeout{300'000};
    Milliseconds silence{60'000};
    Milliseconds beat{1'000};
    Milliseconds handshake{5'000};  // for who answers at the address to prove itself
  };

  explicit Client(Options options);
  ~Client();
  Client(const Client&) = delete;
  Client& operator=(const Client&) = delete;

  void set(const std::string& key, const std::string& value);
  void append(const std::string& key, const std::string& value);
  std::string get(const std::string& key, Milliseconds timeout);  // waits until it is there
  std::vector<std::string> get_all(const Keys& keys, Milliseconds timeout);
  void wait(const Keys& keys, Milliseconds timeout);
  bool check(const Keys& keys);
  std::int64_t add(const std::string& key, std::int64_t number);
  // Sets `desired` where `expected` stands, or nothing and `expected` is empty. Returns what stands there now; where
  // nothing does, `expected`.
  std::string compare_set(const std::string& key, const std::string& expected, const std::string& desired);
  bool remove(const std::string& key);
  std::int64_t num_keys();

  // What this process does, for Loss::activities: a lock and a move. Goes out with the next beat, its first 512 bytes.
  void set_activity(std::string activity);
  // This process begins an exchange with others: who is behind for too long is lost. All begin the same ones in a step.
  void count_exchange() { ++exchanges_; }
  // Somebody is lost, as far as can be seen from here. The server decides, and tells all; this does not wait for that.
  void report_lost(std::int64_t rank, const std::string& why);
  // Waits for the loss that ended the run; none where it does not come, or the client leaves.
  std::optional<Loss> wait_for_loss(Milliseconds timeout);
  // From now on neither side takes the other's end for a loss. Waits for the server, for 2 s at most.
  void goodbye();
  // This process ends, and the others lose it for this reason. It hears of no loss any more. Waits as goodbye() does.
  void fail(const std::string& why);

 private:
  enum class Stage { unknown, challenged, admitted, gathered };

  void meet();
  void try_to_meet(Time until);
  void meet_a_little(Time until);
  void check_stopped() const;
  void watch();
  void round(Time until);
  void handle(Message message);
  void shake_hands(const Message& message);
  // The answer, with so many texts if it is said how many.
  Message call(Message request, std::optional<std::size_t> texts = std::nullopt,
               std::optional<Milliseconds> patience = std::nullopt);
  void part(Message last_word);
  void stop();

  const Options options_;
  const Milliseconds beat_;  // late ones are not to be taken for silence
  Wakeup wakeup_;

  // Of the thread, and of the constructor before there is one.
  std::optional<Link> link_;
  Stage stage_ = Stage::unknown;
  std::string attempt_;
  Introduction introduction_;
  std::string missing_;
  Time next_beat_{};
  Time last_round_{};
  std::optional<Loss> verdict_;
  bool rank_0_left_ = false;

  std::mutex mutex_;  // guards what follows
  std::condition_variable answered_;
  std::string outbox_;  // encoded
  std::string activity_;
  Time active_since_ = Clock::now();
  std::map<std::uint64_t, std::optional<Message>> calls_;  // the answers, once they are there
  std::optional<Loss> loss_;
  std::string end_;  // why there are no more answers
  bool leaving_ = false;

  std::atomic<std::uint64_t> last_id_ = 0;
  std::atomic<std::uint64_t> exchanges_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace peerless::cluster
