// How the coordinator's server and a client prove to each other that they know the same secret, which never travels.
//
//   server -> client   challenge: a nonce
//   client -> server   hello: a nonce, rank, world size, attempt; proof "client" over all of that
//   server -> client   welcome: proof "server" over the same
//
// A proof is HMAC-SHA256 (libcrypto's) under the secret. The role in it keeps either side from sending back what it
// got, the nonces keep a recorded one from being of use again. An empty secret proves nothing, in the same steps.
//
// Not promised   what follows is neither encrypted nor authenticated: no help against somebody who can change packets
#pragma once

#include <cstdint>
#include <string>
#include <string_view>

namespace peerless::cluster {

// What a proof is about.
struct Introduction {
  std::string server_nonce, client_nonce;
  std::int64_t rank = 0;
  std::int64_t world_size = 0;
  std::string attempt;
};

enum class Role { client, server };

std::string random_nonce();  // 32 bytes
std::string proof(std::string_view secret, Role role, const Introduction& introduction);

// Takes as long for a near miss as for any other.
bool is_proof(std::string_view claimed, std::string_view secret, Role role, const Introduction& introduction);

}  // namespace peerless::cluster
