// Addresses and listening sockets: just what keeps the processes of a run off addresses that nobody needs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>

struct addrinfo;

namespace peerless {
namespace cluster {

// Closes the descriptor it holds; -1 holds none.
class Socket {
 public:
  explicit Socket(int descriptor = -1) : descriptor_(descriptor) {}
  ~Socket();
  Socket(Socket&& other) noexcept : descriptor_(other.release()) {}
  Socket& operator=(Socket&& other) noexcept {
    std::swap(descriptor_, other.descriptor_);
    return *this;
  }
  int descriptor() const { return descriptor_; }
  int release() { return std::exchange(descriptor_, -1); }

 private:
  int descriptor_;
};

}  // namespace cluster

struct FreeAddresses {
  void operator()(addrinfo* first) const;
};
using Addresses = std::unique_ptr<addrinfo, FreeAddresses>;  // a list of the system's

// The addresses of rank 0's host. Error(config): the name does not exist; Error(peer): it may be found later.
Addresses resolve(const std::string& host, std::uint16_t port);

// Whether it is the name or address of the loopback interface: "localhost", "127.0.1.1", "::1".
bool is_loopback(std::string_view host);

// A socket that listens at a port of that address only; port 0: at one that is free. Error(config) when the address is
// not of this host, or the port is taken; those of resolve().
int listen_at(const std::string& host, std::uint16_t port);
std::uint16_t port_of(int listening);

// Raises the soft limit of open files to what a process needs among so many that all connect with each other.
// Error(config): the hard limit is lower.
void provide_descriptors(std::int64_t processes);

// The address of this host from which packets to `host` leave, as text. Error(peer): there is no route; those of
// resolve().
std::string local_address_towards(const std::string& host);

// The address at which other hosts find this one, where nothing says which hosts: that of the interface that leads out,
// else that of the only interface. Error(config): there is none, or several that lead nowhere.
std::string host_address();

// The name of the interface that has this address; empty: none has.
std::string interface_of(const std::string& address);

}  // namespace peerless
