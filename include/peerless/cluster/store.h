// The coordinator's keys and values, and those who wait for keys: what c10d asks of a store. It knows no network.
//
// Bounds    a key has at most 1 KiB, a value kMaxValue, all together 256 MiB with 64 bytes for each key's upkeep; the
//           keys that somebody waits for count too. Beyond them a request fails for him who made it, and changes
//           nothing
// Answers   come through `answer`, from within the call that makes them due: reply or failed under the request's id.
//           failed says ExitCode::peer where time ran out, internal where the request was wrong. Where `answer` says
//           false, that client takes no more: it gets none, and none is made up for it, until it is forgotten
// Counters  are decimal text, as c10d has them: add makes one of a value that set wrote, and get reads it
#pragma once

#include <functional>
#include <list>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <vector>

#include "peerless/base/error.h"
#include "peerless/cluster/link.h"
#include "peerless/cluster/message.h"

namespace peerless::cluster {

class Store {
 public:
  using Answer = std::function<bool(std::int64_t client, const Message& answer)>;

  explicit Store(Answer answer) : answer_(std::move(answer)) {}

  static bool handles(Message::Kind kind) { return kind >= Message::Kind::set && kind <= Message::Kind::append; }
  void handle(std::int64_t client, Message request, Time now);
  void expire(Time now);             // fails those who waited long enough
  Time next_expiry() const;          // Time::max() where nobody waits
  void forget(std::int64_t client);  // it gets no more answers

 private:
  struct Waiter {
    std::int64_t client;
    Message request;  // get or wait
    Time until;
    std::size_t missing = 0;  // one of the keys that are
    const std::string& missing_key() const { return request.texts[missing]; }
  };

  Message answer_to(Message& request);
  void wait(Waiter waiter, Time now);
  bool try_to_answer(Waiter& waiter);
  template <class Done>
  void end_waits(const Done& done);  // of those of whom it holds
  void put(const std::string& key, std::string value);
  std::int64_t add(const std::string& key, std::int64_t number);
  std::string compare_set(const std::string& key, const std::string& expected, const std::string& desired);
  bool remove(const std::string& key);
  const std::string* find(const std::string& key) const;
  void give(std::int64_t client, const Message& answer);
  void fail(std::int64_t client, std::uint64_t id, const Error& error);

  Answer answer_;
  std::unordered_set<std::int64_t> take_no_more_;  // clients
  std::unordered_map<std::string, std::string> values_;
  std::size_t bytes_ = 0;
  std::list<Waiter> waiters_;
};

}  // namespace peerless::cluster
