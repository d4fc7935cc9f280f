// Addresses and listening sockets: just what keeps the processes of a run off addresses that nobody needs.
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace peerless {

// Whether it is the name or address of the loopback interface: "localhost", "127.0.1.1", "::1".
bool is_loopback(std::string_view host);

// A socket that listens at a port of that address only; port 0: at one that is free. Error(config) when the name does
// not resolve, the address is not of this host, or the port is taken.
int listen_at(const std::string& host, std::uint16_t port);
std::uint16_t port_of(int listening);

// The address of this host from which packets to `host` leave, as text. Error(config): it does not resolve;
// Error(peer): there is no route.
std::string local_address_towards(const std::string& host);

// The address at which other hosts find this one, where nothing says which hosts: that of the interface that leads out,
// else that of the only interface. Error(config): there is none, or several that lead nowhere.
std::string host_address();

// The name of the interface that has this address; empty: none has.
std::string interface_of(const std::string& address);

}  // namespace peerless
