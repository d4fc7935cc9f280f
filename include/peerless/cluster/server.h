// Where the processes of a run meet, and who watches over them: one thread of rank 0, over a listening socket, with one
// connection to each process (client.h), rank 0 among them.
//
// Admission   Who knows the secret (proof.h), is of the same attempt and world size, and has a rank of his
//             own. Others are told why not, and logged as one warning each (of a flood: 10 a second, and their number).
//             Before that, a connection has `handshake` and 1 KiB; where there are 64 such and another one comes, the
//             oldest goes, but each has 0.2 s. None of them can disturb who is admitted
// Gathering   Until all have come, one that goes away is only missing again. Then all learn that they are complete
// Store       store.h
// Liveness    A process is lost when its connection closes without goodbye (at once: a kill closes it), when nothing is
//             heard of it for `silence` (stopped, host dead, network gone), when it breaks the protocol, or when
//             another one reports it. The first loss is the only one: all hear it, the lost one too if it still can,
//             with a table of what each rank did; rank 0 last. A report waits for 0.5 s, in which a loss that this
//             thread sees for itself goes before: whose exchange fails knows that somebody died, often not who
// Patience    A process is also lost when others wait for it for `patience`: it lives, but has begun fewer exchanges
//             than others all that time. Of several such, that with the fewest
// Leaving     Once rank 0 has said goodbye, the destructor says so to the others, who then lose nothing. Without that,
//             they lose rank 0
//
// Cost     per process: one descriptor, a message a second, and up to 128 MiB of answers that it does not read; with
//          more it is lost. All else: the store's 256 MiB
// Threads  one of its own; the constructor and the destructor, which does not wait for the network, from another
#pragma once

#include <atomic>
#include <list>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/cluster/link.h"
#include "peerless/cluster/message.h"
#include "peerless/cluster/proof.h"
#include "peerless/cluster/store.h"

namespace peerless::cluster {

class Server {
 public:
  struct Options {
    std::int64_t world_size = 1;
    std::string attempt;
    std::string secret;
    std::chrono::milliseconds silence{60'000};
    std::chrono::milliseconds patience{600'000};
    std::chrono::milliseconds handshake{5'000};
  };

  // Takes over a socket that listens at exactly the address that is needed.
  Server(int listening, Options options);
  ~Server();
  Server(const Server&) = delete;
  Server& operator=(const Server&) = delete;

 private:
  struct Stranger {
    Link link;
    std::string address, nonce;
    Time since;
  };
  struct Member {
    std::optional<Link> link = std::nullopt;
    std::string activity = {};
    Time active_since = {};
    std::int64_t exchanges = 0;
    std::optional<Time> behind_since = std::nullopt;  // others that have begun more exchanges
    bool left = false;                                // said goodbye
    bool reported = false;                            // somebody, and may go without being the culprit
    bool overdue = false;                             // has not read so much that it gets no more
  };
  struct Report {
    std::int64_t rank;
    std::string why;
    Time due;
  };

  void run();
  void round();
  Time next_round(Time now) const;

  void accept_strangers();
  Time accepts_from() const;
  void drop_oldest_stranger();
  void hear_strangers(Time now);
  bool hear(Stranger& stranger);  // false: done with it
  std::optional<Error> objection(const Introduction& hello, std::string_view proof) const;
  void warn(std::string_view address, std::string_view why);
  void warn_of_the_rest(Time now);

  void hear_members();
  void handle(std::int64_t rank, Message message);
  void note_report(std::int64_t reporter, const Message& report);
  void judge(Time now);
  void judge_progress(Time now);
  void depart(std::int64_t rank, const std::string& why);
  void lose(std::int64_t rank, std::string why);
  void tell_rank_0();

  void post(std::int64_t rank, const Message& message);
  void post_to_all(const Message& message);
  std::string missing() const;
  std::vector<std::string> rows() const;

  const Options options_;
  Socket listening_;
  Wakeup wakeup_;
  // What follows is the thread's.
  std::list<Stranger> strangers_;  // the oldest first
  std::vector<Member> members_;    // by rank
  Store store_;
  bool gathered_ = false;
  std::optional<Report> report_;
  std::string verdict_;  // encoded, until rank 0 has it
  Time verdict_due_{};
  std::string over_;  // how the run ended, if it did
  Time last_round_ = Clock::now();
  Time accept_after_{};  // while descriptors are short
  Time warned_since_{};
  std::int64_t warned_ = 0;
  std::atomic<bool> stopping_ = false;
  std::thread thread_;
};

}  // namespace peerless::cluster
