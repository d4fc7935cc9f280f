#include "peerless/cluster/link.h"

#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <poll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

#include <algorithm>
#include <array>
#include <cerrno>
#include <cmath>
#include <cstring>
#include <limits>
#include <memory>
#include <system_error>

#include "peerless/base/error.h"

namespace peerless::cluster {
namespace {

constexpr std::chrono::seconds kConnect{5};

std::string reason(int error) { return std::generic_category().message(error); }

int milliseconds_until(Time until) {
  const auto left = std::chrono::ceil<std::chrono::milliseconds>(until - Clock::now()).count();
  return static_cast<int>(std::clamp<std::int64_t>(left, 0, 60'000));
}

// Of either side of a connection, as getpeername and getsockname say it.
struct Name {
  sockaddr_storage bytes{};
  socklen_t size = sizeof(bytes);

  Name(int descriptor, int (*ask)(int, sockaddr*, socklen_t*)) { ask(descriptor, address(), &size); }
  sockaddr* address() { return reinterpret_cast<sockaddr*>(&bytes); }
  bool operator==(const Name& other) const { return std::memcmp(&bytes, &other.bytes, sizeof(bytes)) == 0; }

  std::string text() {
    std::array<char, NI_MAXHOST> host{};
    std::array<char, NI_MAXSERV> port{};
    const int flags = NI_NUMERICHOST | NI_NUMERICSERV;
    if (getnameinfo(address(), size, host.data(), host.size(), port.data(), port.size(), flags) != 0) return "?";
    return concat(host.data(), ":", port.data());
  }
};

// The number of the error, 0 for none.
int connect_one(const addrinfo& address, Time until, Socket& connected) {
  Socket socket(::socket(address.ai_family, SOCK_STREAM | SOCK_NONBLOCK | SOCK_CLOEXEC, 0));
  if (socket.descriptor() < 0) return errno;
  if (::connect(socket.descriptor(), address.ai_addr, address.ai_addrlen) != 0) {
    if (errno != EINPROGRESS && errno != EINTR) return errno;
    pollfd waiting{socket.descriptor(), POLLOUT, 0};
    while (::poll(&waiting, 1, milliseconds_until(until)) < 0 && errno == EINTR) continue;
    if (waiting.revents == 0) return ETIMEDOUT;
    int error = 0;
    socklen_t size = sizeof(error);
    ::getsockopt(socket.descriptor(), SOL_SOCKET, SO_ERROR, &error, &size);
    if (error != 0) return error;
  }
  // The system may choose as our port the very one that nobody listens at: then we talk to ourselves.
  if (Name(socket.descriptor(), ::getsockname) == Name(socket.descriptor(), ::getpeername)) return ECONNREFUSED;
  connected = std::move(socket);
  return 0;
}

void set_option(int descriptor, int level, int option, std::int64_t value) {
  const int number = static_cast<int>(std::clamp<std::int64_t>(value, 1, std::numeric_limits<int>::max()));
  ::setsockopt(descriptor, level, option, &number, sizeof(number));
}

}  // namespace

std::string in_seconds(Clock::duration duration) {
  const double seconds = std::chrono::duration<double>(duration).count();
  return concat(seconds < 10 ? std::round(seconds * 10) / 10 : std::round(seconds), " s");
}

Socket connect_to(const std::string& host, std::uint16_t port, Time until) {
  const auto addresses = resolve(host, port);
  int error = 0;
  for (const auto* address = addresses.get(); address != nullptr; address = address->ai_next) {
    Socket socket;
    error = connect_one(*address, std::min(until, Clock::now() + kConnect), socket);
    if (error == 0) return socket;
  }
  throw Error(ExitCode::peer, "cannot connect to rank 0 at ", printable(host), ":", port, ": ", reason(error));
}

std::optional<Accepted> accept_from(const Socket& listening) {
  Socket socket(::accept4(listening.descriptor(), nullptr, nullptr, SOCK_NONBLOCK | SOCK_CLOEXEC));
  if (socket.descriptor() >= 0) {
    auto address = Name(socket.descriptor(), ::getpeername).text();
    return Accepted{std::move(socket), std::move(address)};
  }
  const bool exhausted = errno == EMFILE || errno == ENFILE || errno == ENOBUFS || errno == ENOMEM;
  if (!exhausted) return std::nullopt;
  return Accepted{Socket(), "", errno};
}

Wakeup::Wakeup() : event_(::eventfd(0, EFD_NONBLOCK | EFD_CLOEXEC)) {
  if (event_.descriptor() < 0) throw Error(ExitCode::io, "cannot make an eventfd: ", reason(errno));
}

void Wakeup::ring() const { ::eventfd_write(event_.descriptor(), 1); }

void Wakeup::clear() const {
  eventfd_t ignored = 0;
  ::eventfd_read(event_.descriptor(), &ignored);
}

Link::Link(Socket socket, std::chrono::milliseconds silence, std::size_t limit)
    : socket_(std::move(socket)), limit_(limit), most_unsent_(std::numeric_limits<std::size_t>::max()) {
  const int descriptor = socket_.descriptor();
  const auto quarter = std::chrono::duration_cast<std::chrono::seconds>(silence).count() / 4;
  set_option(descriptor, IPPROTO_TCP, TCP_NODELAY, 1);
  set_option(descriptor, SOL_SOCKET, SO_KEEPALIVE, 1);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPIDLE, quarter);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPINTVL, quarter);
  set_option(descriptor, IPPROTO_TCP, TCP_KEEPCNT, 3);
  set_option(descriptor, IPPROTO_TCP, TCP_USER_TIMEOUT, silence.count());
}

void Link::set_limits(std::size_t limit, std::size_t most_unsent) {
  limit_ = limit;
  most_unsent_ = most_unsent;
}

void Link::post(std::string_view encoded) {
  if (sent_ > output_.size() / 2) output_.erase(0, std::exchange(sent_, 0));
  output_ += encoded;
  send();
}

void Link::exchange() {
  const auto ready = std::exchange(ready_, 0);
  if (ready & POLLOUT) {
    const auto before = unsent();
    send();
    if (unsent() < before) heard_ = Clock::now();
  }
  if (ready & ~POLLOUT) receive();
}

// An error is left to receive(), which first takes in what the other side said before it went.
void Link::send() {
  while (unsent() > 0) {
    const auto sent = ::send(socket_.descriptor(), output_.data() + sent_, unsent(), MSG_NOSIGNAL);
    if (sent < 0 && errno == EINTR) continue;
    if (sent < 0 && (errno == EAGAIN || errno == EWOULDBLOCK)) break;
    sent_ = sent < 0 ? output_.size() : sent_ + static_cast<std::size_t>(sent);
  }
  if (unsent() > 0) return;
  output_.clear();
  output_.shrink_to_fit();
  sent_ = 0;
}

void Link::receive() {
  std::array<char, 65536> bytes;
  const auto got = ::recv(socket_.descriptor(), bytes.data(), std::min(bytes.size(), limit_), 0);
  if (got > 0) {
    heard_ = Clock::now();
    input_.append(bytes.data(), static_cast<std::size_t>(got));
    return;
  }
  if (got < 0 && (errno == EINTR || errno == EAGAIN || errno == EWOULDBLOCK)) return;
  if (got == 0 || errno == ECONNRESET || errno == EPIPE) throw Error(ExitCode::peer, "its connection closed");
  throw Error(ExitCode::peer, "its connection broke: ", reason(errno));
}

std::optional<Message> Link::next() {
  if (unsent() > most_unsent_) return std::nullopt;
  auto decoded = decode(std::string_view(input_).substr(taken_), limit_);
  if (decoded.state == Decoded::State::invalid) throw Error(ExitCode::peer, "it sent what is no message");
  if (decoded.state == Decoded::State::whole) {
    taken_ += decoded.bytes;
    return std::move(decoded.message);
  }
  input_.erase(0, std::exchange(taken_, 0));
  if (input_.empty()) input_.shrink_to_fit();
  return std::nullopt;
}

void wait_for(const std::vector<Link*>& links, const std::vector<int>& others, Time until) {
  std::vector<pollfd> waiting;
  waiting.reserve(links.size() + others.size());
  for (const auto* link : links) {
    const int in = link->unsent() > link->most_unsent_ ? 0 : POLLIN;
    const int out = link->unsent() > 0 ? POLLOUT : 0;
    waiting.push_back({link->socket_.descriptor(), static_cast<short>(in | out), 0});
  }
  for (const int other : others) waiting.push_back({other, POLLIN, 0});
  const int ready = ::poll(waiting.data(), waiting.size(), milliseconds_until(until));
  for (std::size_t i = 0; i < links.size(); ++i) links[i]->ready_ = ready > 0 ? waiting[i].revents : short{0};
}

}  // namespace peerless::cluster
