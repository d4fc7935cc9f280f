#include "src/dist/network.h"

#include <netdb.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <utility>

#include "peerless/base/error.h"

namespace peerless {
namespace {

class Socket {
 public:
  explicit Socket(const addrinfo& address, int type) : fd_(socket(address.ai_family, type | SOCK_CLOEXEC, 0)) {}
  ~Socket() {
    if (fd_ >= 0) close(fd_);
  }
  Socket(const Socket&) = delete;
  Socket& operator=(const Socket&) = delete;

  int fd() const { return fd_; }
  int release() { return std::exchange(fd_, -1); }

 private:
  int fd_;
};

using Addresses = std::unique_ptr<addrinfo, decltype(&freeaddrinfo)>;

Addresses resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error != 0)
    throw Error(ExitCode::config, "host '", printable(host), "' of rank 0 does not resolve here: ", gai_strerror(error),
                "; set MASTER_ADDR to a name or address that all hosts know");
  return {found, freeaddrinfo};
}

}  // namespace

int listen_at(const std::string& host, std::uint16_t port) {
  constexpr int kBacklog = 4096;
  const auto addresses = resolve(host, port);
  int error = 0;
  for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
    Socket socket(*address, SOCK_STREAM);
    const int yes = 1;
    setsockopt(socket.fd(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);  // a restart need not wait for old packets
    if (bind(socket.fd(), address->ai_addr, address->ai_addrlen) == 0 && listen(socket.fd(), kBacklog) == 0)
      return socket.release();
    error = errno;
  }
  throw Error(ExitCode::config, "rank 0 cannot listen at ", printable(host), ":", port, ": ", std::strerror(error),
              "; the address must be of rank 0's host and the port free: set MASTER_ADDR and MASTER_PORT");
}

std::string local_address_towards(const std::string& host) {
  const auto addresses = resolve(host, /*port=*/9);  // any: connecting a datagram socket sends nothing
  for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
    const Socket socket(*address, SOCK_DGRAM);
    sockaddr_storage own{};
    socklen_t size = sizeof own;
    std::array<char, NI_MAXHOST> text{};
    if (connect(socket.fd(), address->ai_addr, address->ai_addrlen) == 0 &&
        getsockname(socket.fd(), reinterpret_cast<sockaddr*>(&own), &size) == 0 &&
        getnameinfo(reinterpret_cast<sockaddr*>(&own), size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) == 0)
      return text.data();
  }
  throw Error(ExitCode::peer, "no route from here to host '", printable(host), "' of rank 0");
}

}  // namespace peerless
