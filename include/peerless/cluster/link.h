// TCP for the coordinator: connections that never block, and messages over them.
//
// Errors   Error(peer): the connection cannot be made, or is over; says why as "its connection closed"
//          Error(config): a host name that does not exist
// Threads  one at a time, but for Wakeup::ring
#pragma once

#include <algorithm>
#include <chrono>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include "peerless/cluster/message.h"
#include "peerless/cluster/network.h"

namespace peerless::cluster {

// Time is that of the steady clock: no clock that somebody sets can end a run.
using Clock = std::chrono::steady_clock;
using Time = Clock::time_point;

std::string in_seconds(Clock::duration duration);  // "61 s", "0.5 s"

// One attempt, until `until` or for 5 s for each address that the name has.
Socket connect_to(const std::string& host, std::uint16_t port, Time until);

// A connection that waits, if there is one. Any error but those that concern one connection alone: the system's number.
struct Accepted {
  Socket socket;
  std::string address;  // of the other side: "10.0.0.2:41234"
  int error = 0;
};
std::optional<Accepted> accept_from(const Socket& listening);

// Lets another thread end wait_for().
class Wakeup {
 public:
  Wakeup();
  void ring() const;
  void clear() const;
  int descriptor() const { return event_.descriptor(); }

 private:
  Socket event_;
};

// Messages over a connection. What cannot be sent at once is kept.
class Link {
 public:
  // No keepalive or sent byte stays unanswered for longer than `silence`. A message has at most `limit` bytes.
  Link(Socket socket, std::chrono::milliseconds silence, std::size_t limit);

  // With more than `most_unsent` bytes kept, nothing is received: who does not read gets no more answers to keep.
  void set_limits(std::size_t limit, std::size_t most_unsent);

  void post(const Message& message) { post(encode(message)); }
  void post(std::string_view encoded);
  void exchange();  // after wait_for(): sends and receives what goes
  std::optional<Message> next();

  Time heard() const { return heard_; }  // when bytes came, or such that had to wait could be sent
  void count_silence_from(Time time) { heard_ = std::max(heard_, time); }
  std::size_t unsent() const { return output_.size() - sent_; }

 private:
  friend void wait_for(const std::vector<Link*>& links, const std::vector<int>& others, Time until);

  void send();
  void receive();

  Socket socket_;
  std::size_t limit_;
  std::size_t most_unsent_;
  Time heard_ = Clock::now();
  short ready_ = 0;
  std::string input_, output_;
  std::size_t taken_ = 0, sent_ = 0;  // of input_ and output_: done with
};

// Waits until a link can send or receive, or another descriptor be read; or until `until`, or a signal comes.
void wait_for(const std::vector<Link*>& links, const std::vector<int>& others, Time until);

}  // namespace peerless::cluster
