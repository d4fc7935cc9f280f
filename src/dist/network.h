// Sockets: just what keeps the store and the backends off addresses that nobody needs.
#pragma once

#include <cstdint>
#include <string>

namespace peerless {

// A socket that listens at a port of that address only. Error(config) when the name does not resolve, the address is
// not of this host, or the port is taken.
int listen_at(const std::string& host, std::uint16_t port);

// The address of this host from which packets to `host` leave, as text.
std::string local_address_towards(const std::string& host);

}  // namespace peerless
