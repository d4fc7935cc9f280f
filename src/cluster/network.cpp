#include "peerless/cluster/network.h"

#include <ifaddrs.h>
#include <net/if.h>
#include <netdb.h>
#include <netinet/in.h>
#include <sys/resource.h>
#include <sys/socket.h>
#include <unistd.h>

#include <array>
#include <cerrno>
#include <cstring>
#include <memory>
#include <optional>
#include <utility>
#include <vector>

#include "peerless/base/error.h"

namespace peerless {
namespace {

cluster::Socket socket_for(const addrinfo& address, int type) {
  return cluster::Socket(socket(address.ai_family, type | SOCK_CLOEXEC, 0));
}

std::optional<std::string> to_text(const sockaddr* address, socklen_t size) {
  std::array<char, NI_MAXHOST> text{};
  if (getnameinfo(address, size, text.data(), text.size(), nullptr, 0, NI_NUMERICHOST) != 0) return std::nullopt;
  return text.data();
}

// Connecting a datagram socket sends nothing; it only chooses a route.
std::optional<std::string> source_towards(const addrinfo& address) {
  const auto socket = socket_for(address, SOCK_DGRAM);
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  auto* const bytes = reinterpret_cast<sockaddr*>(&own);
  if (connect(socket.descriptor(), address.ai_addr, address.ai_addrlen) != 0) return std::nullopt;
  if (getsockname(socket.descriptor(), bytes, &size) != 0) return std::nullopt;
  return to_text(bytes, size);
}

// Calls f(interface, address) for those that have one.
template <class F>
void for_interfaces(F f) {
  ifaddrs* found = nullptr;
  if (getifaddrs(&found) != 0) return;
  const std::unique_ptr<ifaddrs, decltype(&freeifaddrs)> all(found, freeifaddrs);
  for (const ifaddrs* one = all.get(); one; one = one->ifa_next) {
    const int family = one->ifa_addr ? one->ifa_addr->sa_family : AF_UNSPEC;
    if (family != AF_INET && family != AF_INET6) continue;
    const auto text = to_text(one->ifa_addr, family == AF_INET ? sizeof(sockaddr_in) : sizeof(sockaddr_in6));
    if (text) f(*one, *text);
  }
}

// IPv4 addresses of interfaces that are up, but for the loopback ones.
std::vector<std::string> addresses_of_interfaces() {
  std::vector<std::string> addresses;
  for_interfaces([&](const ifaddrs& one, const std::string& address) {
    if (one.ifa_addr->sa_family != AF_INET) return;
    if ((one.ifa_flags & IFF_UP) != 0 && (one.ifa_flags & IFF_LOOPBACK) == 0) addresses.push_back(address);
  });
  return addresses;
}

}  // namespace

cluster::Socket::~Socket() {
  if (descriptor_ >= 0) close(descriptor_);
}

void FreeAddresses::operator()(addrinfo* first) const { freeaddrinfo(first); }

Addresses resolve(const std::string& host, std::uint16_t port) {
  addrinfo hints{};
  hints.ai_socktype = SOCK_STREAM;
  hints.ai_flags = AI_NUMERICSERV;
  addrinfo* found = nullptr;
  const int error = getaddrinfo(host.c_str(), std::to_string(port).c_str(), &hints, &found);
  if (error == 0) return Addresses(found);
  const bool may_pass = error == EAI_AGAIN || error == EAI_SYSTEM || error == EAI_MEMORY;
  throw Error(may_pass ? ExitCode::peer : ExitCode::config, "host '", printable(host),
              "' of rank 0 does not resolve here: ", gai_strerror(error),
              "; set MASTER_ADDR to a name or address that all hosts know");
}

bool is_loopback(std::string_view host) {
  if (host == "localhost" || host == "::1") return true;
  return host.starts_with("127.") && host.find_first_not_of("0123456789.") == std::string_view::npos;
}

int listen_at(const std::string& host, std::uint16_t port) {
  constexpr int kBacklog = 4096;
  const auto addresses = resolve(host, port);
  int error = 0;
  for (const addrinfo* address = addresses.get(); address; address = address->ai_next) {
    auto socket = socket_for(*address, SOCK_STREAM);
    const int yes = 1;
    // A restart need not wait for old packets.
    setsockopt(socket.descriptor(), SOL_SOCKET, SO_REUSEADDR, &yes, sizeof yes);
    if (bind(socket.descriptor(), address->ai_addr, address->ai_addrlen) == 0 &&
        listen(socket.descriptor(), kBacklog) == 0)
      return socket.release();
    error = errno;
  }
  throw Error(ExitCode::config, "rank 0 cannot listen at ", printable(host), ":", port, ": ", std::strerror(error),
              "; the address must be of rank 0's host and the port free: set MASTER_ADDR and MASTER_PORT");
}

std::uint16_t port_of(int listening) {
  sockaddr_storage own{};
  socklen_t size = sizeof own;
  getsockname(listening, reinterpret_cast<sockaddr*>(&own), &size);
  return ntohs(own.ss_family == AF_INET6 ? reinterpret_cast<const sockaddr_in6&>(own).sin6_port
                                         : reinterpret_cast<const sockaddr_in&>(own).sin_port);
}

void provide_descriptors(std::int64_t processes) {
  constexpr rlim_t kOthers = 256;  // strangers, and what the rest of the process has open
  const auto needed = 2 * static_cast<rlim_t>(processes) + kOthers;
  rlimit limit{};
  getrlimit(RLIMIT_NOFILE, &limit);
  if (limit.rlim_cur >= needed) return;
  limit.rlim_cur = needed;
  if (limit.rlim_max >= needed && setrlimit(RLIMIT_NOFILE, &limit) == 0) return;
  throw Error(ExitCode::config, "a process needs ", needed, " open files among ", processes, ", but at most ",
              limit.rlim_max, " are allowed; raise that (ulimit -Hn)");
}

std::string local_address_towards(const std::string& host) {
  const auto addresses = resolve(host, /*port=*/9);  // any
  for (const addrinfo* address = addresses.get(); address; address = address->ai_next)
    if (auto source = source_towards(*address)) return *source;
  throw Error(ExitCode::peer, "no route from here to host '", printable(host), "' of rank 0");
}

std::string host_address() {
  const auto outside = resolve("192.0.2.1", /*port=*/9);  // for documents (RFC 5737): it belongs to nobody
  if (auto source = source_towards(*outside)) return *source;
  const auto own = addresses_of_interfaces();
  if (own.size() == 1) return own.front();
  throw Error(ExitCode::config, "this host has ", own.empty() ? "no address" : "several addresses (" + join(own, ", "),
              own.empty() ? "" : "), and no default route",
              " for others to find it at; set MASTER_ADDR to the address of rank 0's host");
}

std::string interface_of(const std::string& address) {
  std::string name;
  for_interfaces([&](const ifaddrs& one, const std::string& text) {
    if (text == address) name = one.ifa_name;
  });
  return name;
}

}  // namespace peerless
