// A coordinator on the loopback interface, its clients, and connections by hand.
#pragma once

#include <arpa/inet.h>
#include <gtest/gtest.h>
#include <netinet/in.h>
#include <poll.h>
#include <sys/socket.h>
#include <unistd.h>

#include <condition_variable>
#include <future>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

#include "peerless/cluster/client.h"
#include "peerless/cluster/server.h"

namespace peerless::test {

using std::chrono::milliseconds;
using std::chrono::seconds;

struct Listening {
  int descriptor;
  std::uint16_t port;
};

inline sockaddr_in loopback(std::uint16_t port) {
  sockaddr_in address{};
  address.sin_family = AF_INET;
  address.sin_port = htons(port);
  address.sin_addr.s_addr = htonl(INADDR_LOOPBACK);
  return address;
}

inline Listening listen_on_loopback() {
  const int descriptor = ::socket(AF_INET, SOCK_STREAM, 0);
  auto address = loopback(0);
  socklen_t size = sizeof(address);
  auto* const bytes = reinterpret_cast<sockaddr*>(&address);
  if (::bind(descriptor, bytes, size) != 0 || ::listen(descriptor, 512) != 0) ADD_FAILURE() << "cannot listen";
  ::getsockname(descriptor, bytes, &size);
  return {descriptor, ntohs(address.sin_port)};
}

inline std::uint16_t port_nobody_listens_at() {
  const auto listening = listen_on_loopback();
  ::close(listening.descriptor);
  return listening.port;
}

inline auto at(std::uint16_t port) {
  return [port]() -> std::optional<cluster::Address> { return cluster::Address{"127.0.0.1", port}; };
}

// What a client's on_loss said.
class Hearing {
 public:
  void operator()(const cluster::Loss& loss) {
    const std::lock_guard lock(mutex_);
    losses_.push_back(loss);
    changed_.notify_all();
  }
  // The first loss, "" when there is none within the time.
  std::string wait_for(milliseconds time) {
    std::unique_lock lock(mutex_);
    changed_.wait_for(lock, time, [&] { return !losses_.empty(); });
    return losses_.empty() ? "" : losses_[0].text();
  }
  std::vector<cluster::Loss> losses() {
    const std::lock_guard lock(mutex_);
    return losses_;
  }

 private:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::vector<cluster::Loss> losses_;
};

// A server, and as many clients as are started.
struct Meeting {
  Listening listening = listen_on_loopback();
  cluster::Server::Options server_options;
  cluster::Client::Options client_options;
  std::unique_ptr<cluster::Server> server;
  std::vector<Hearing> hearings;
  std::vector<std::unique_ptr<cluster::Client>> clients;

  explicit Meeting(std::int64_t world_size)
      : server_options{.world_size = world_size, .attempt = "a/1", .secret = "secret"},
        hearings(static_cast<std::size_t>(world_size)),
        clients(static_cast<std::size_t>(world_size)) {
    client_options = {.world_size = world_size,
                      .attempt = "a/1",
                      .secret = "secret",
                      .address = at(listening.port),
                      .on_loss = {},
                      .timeout = seconds(20),
                      .beat = milliseconds(50)};
  }

  ~Meeting() {
    clients.clear();
    ::close(listening.descriptor);
  }
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  Meeting& serve() {
    server = std::make_unique<cluster::Server>(std::exchange(listening.descriptor, -1), server_options);
    return *this;
  }
  cluster::Client::Options options_of(std::int64_t rank) {
    auto options = client_options;
    options.rank = rank;
    options.on_loss = [this, rank](const cluster::Loss& loss) { hearings[static_cast<std::size_t>(rank)](loss); };
    return options;
  }
  std::unique_ptr<cluster::Client> client(std::int64_t rank) {
    return std::make_unique<cluster::Client>(options_of(rank));
  }
  // Clients of these ranks, at once.
  Meeting& join(const std::vector<std::size_t>& ranks) {
    std::vector<std::future<std::unique_ptr<cluster::Client>>> coming;
    for (const auto rank : ranks) {
      coming.push_back(
          std::async(std::launch::async, [this, rank] { return client(static_cast<std::int64_t>(rank)); }));
    }
    for (std::size_t i = 0; i < ranks.size(); ++i) clients[ranks[i]] = coming[i].get();
    return *this;
  }
  Meeting& join_all() {
    std::vector<std::size_t> ranks;
    for (std::size_t rank = 0; rank < clients.size(); ++rank) ranks.push_back(rank);
    return join(ranks);
  }
  cluster::Client& operator[](std::size_t rank) { return *clients[rank]; }
  std::string heard(std::size_t rank, milliseconds time = seconds(5)) { return hearings[rank].wait_for(time); }
};

// A connection of which the test says and reads every byte.
class RawConnection {
 public:
  explicit RawConnection(std::uint16_t port) : descriptor_(::socket(AF_INET, SOCK_STREAM, 0)) {
    const auto address = loopback(port);
    if (::connect(descriptor_, reinterpret_cast<const sockaddr*>(&address), sizeof(address)) != 0) ADD_FAILURE();
  }
  explicit RawConnection(const Listening& listening) : descriptor_(::accept(listening.descriptor, nullptr, nullptr)) {}
  ~RawConnection() { ::close(descriptor_); }
  RawConnection(const RawConnection&) = delete;
  RawConnection& operator=(const RawConnection&) = delete;

  bool send(std::string_view bytes) {
    return ::send(descriptor_, bytes.data(), bytes.size(), MSG_NOSIGNAL) == static_cast<ssize_t>(bytes.size());
  }
  bool send(const cluster::Message& message) { return send(cluster::encode(message)); }

  // The next message; none at the end, or when none comes for 5 s.
  std::optional<cluster::Message> receive() {
    for (;;) {
      auto decoded = cluster::decode(input_, cluster::kMaxMessage);
      if (decoded.state == cluster::Decoded::State::whole) {
        input_.erase(0, decoded.bytes);
        return decoded.message;
      }
      if (!read_more()) return std::nullopt;
    }
  }
  // Whether the other side closes it within 5 s, whatever it says before.
  bool is_closed() {
    while (read_more()) input_.clear();
    return closed_;
  }
  bool is_open() const {
    pollfd waiting{descriptor_, POLLIN, 0};
    char byte = 0;
    return ::poll(&waiting, 1, 0) == 0 || ::recv(descriptor_, &byte, 1, MSG_PEEK) == 1;
  }

  // Says hello as a client with the secret would; whether it is welcome.
  bool shake_hands(const cluster::Client::Options& options) {
    const auto challenge = receive();
    if (!challenge || challenge->kind != cluster::Message::Kind::challenge) return false;
    const cluster::Introduction hello{challenge->texts[0], cluster::random_nonce(), options.rank, options.world_size,
                                      options.attempt};
    send(
        {.kind = cluster::Message::Kind::hello,
         .rank = options.rank,
         .number = options.world_size,
         .texts = {hello.client_nonce, cluster::proof(options.secret, cluster::Role::client, hello), options.attempt}});
    const auto welcome = receive();
    return welcome && welcome->kind == cluster::Message::Kind::welcome &&
           cluster::is_proof(welcome->texts[0], options.secret, cluster::Role::server, hello);
  }

  // Lets a client in as a server with the secret would, and says that all are here.
  bool welcome(const std::string& secret) {
    send({.kind = cluster::Message::Kind::challenge, .number = cluster::kProtocol, .texts = {"nonce"}});
    const auto hello = receive();
    if (!hello || hello->kind != cluster::Message::Kind::hello) return false;
    const cluster::Introduction said{"nonce", hello->texts[0], hello->rank, hello->number, hello->texts[2]};
    return send({.kind = cluster::Message::Kind::welcome,
                 .texts = {cluster::proof(secret, cluster::Role::server, said)}}) &&
           send({.kind = cluster::Message::Kind::gathered});
  }

  int descriptor() const { return descriptor_; }

 private:
  bool read_more() {
    pollfd waiting{descriptor_, POLLIN, 0};
    if (::poll(&waiting, 1, 5000) != 1) return false;
    std::string bytes(65536, '\0');
    const auto got = ::recv(descriptor_, bytes.data(), bytes.size(), 0);
    closed_ = got <= 0;
    if (got > 0) input_.append(bytes, 0, static_cast<std::size_t>(got));
    return got > 0;
  }

  int descriptor_;
  std::string input_;
  bool closed_ = false;
};

}  // namespace peerless::test
