// Peers as processes of one parent, which tell each other texts through sockets that it made.
#pragma once

#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cstdint>
#include <string>
#include <vector>

#include "peerless/base/peers.h"

namespace peerless::reliability {

// Sockets between rank 0 and each other rank; of the parent, to be inherited.
class Wiring {
 public:
  explicit Wiring(std::int64_t size) : pairs_(static_cast<std::size_t>(size), std::array{-1, -1}) {
    for (std::size_t rank = 1; rank < pairs_.size(); ++rank)
      PEERLESS_CHECK(::socketpair(AF_UNIX, SOCK_STREAM | SOCK_CLOEXEC, 0, pairs_[rank].data()) == 0, "socketpair");
  }
  ~Wiring() {
    for (auto& pair : pairs_)
      for (auto& descriptor : pair) close(descriptor);
  }
  Wiring(const Wiring&) = delete;
  Wiring& operator=(const Wiring&) = delete;

  std::int64_t size() const { return static_cast<std::int64_t>(pairs_.size()); }
  // What a process of this rank uses to talk with `other`; -1 where it has nothing to say.
  int end(std::int64_t rank, std::int64_t other) const {
    if (rank == 0) return pairs_[static_cast<std::size_t>(other)][0];
    return other == 0 ? pairs_[static_cast<std::size_t>(rank)][1] : -1;
  }
  // Keeps what a process of this rank needs: others see the end of it when it dies.
  void keep(std::int64_t rank) {
    for (std::int64_t other = 1; other < size(); ++other) {
      if (rank != 0) close(pairs_[static_cast<std::size_t>(other)][0]);
      if (rank != other) close(pairs_[static_cast<std::size_t>(other)][1]);
    }
  }

 private:
  static void close(int& descriptor) {
    if (descriptor >= 0) ::close(descriptor);
    descriptor = -1;
  }

  std::vector<std::array<int, 2>> pairs_;  // of rank 0, and of the other
};

class SocketPeers final : public Peers {
 public:
  SocketPeers(const Wiring& wiring, std::int64_t rank) : wiring_(wiring), rank_(rank) {}
  std::int64_t rank() const override { return rank_; }
  std::int64_t world_size() const override { return wiring_.size(); }

  std::vector<std::string> collect(const std::string& here) override {
    if (rank_ != 0) {
      send(0, here);
      return {};
    }
    std::vector<std::string> all{here};
    for (std::int64_t other = 1; other < world_size(); ++other) all.push_back(receive(other));
    return all;
  }

  std::string announce(const std::string& here) override {
    if (rank_ != 0) return receive(0);
    for (std::int64_t other = 1; other < world_size(); ++other) send(other, here);
    return here;
  }

 private:
  void send(std::int64_t other, const std::string& text) const {
    const std::uint64_t size = text.size();
    std::string bytes(reinterpret_cast<const char*>(&size), sizeof size);
    bytes += text;
    const auto sent = ::send(wiring_.end(rank_, other), bytes.data(), bytes.size(), MSG_NOSIGNAL);
    if (sent != static_cast<ssize_t>(bytes.size())) lost(other);
  }
  std::string receive(std::int64_t other) const {
    std::uint64_t size = 0;
    receive(other, &size, sizeof size);
    std::string text(size, '\0');
    receive(other, text.data(), size);
    return text;
  }
  void receive(std::int64_t other, void* into, std::size_t size) const {
    if (size > 0 && ::recv(wiring_.end(rank_, other), into, size, MSG_WAITALL) != static_cast<ssize_t>(size))
      lost(other);
  }
  [[noreturn]] static void lost(std::int64_t other) { throw Error(ExitCode::peer, "rank ", other, " is lost"); }

  const Wiring& wiring_;
  std::int64_t rank_;
};

}  // namespace peerless::reliability
