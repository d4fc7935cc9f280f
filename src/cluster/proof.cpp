#include "peerless/cluster/proof.h"

#include <openssl/crypto.h>
#include <openssl/evp.h>
#include <openssl/hmac.h>
#include <openssl/rand.h>

#include "peerless/base/error.h"
#include "peerless/cluster/message.h"

namespace peerless::cluster {

std::string random_nonce() {
  std::string nonce(32, '\0');
  const int done = RAND_bytes(reinterpret_cast<unsigned char*>(nonce.data()), static_cast<int>(nonce.size()));
  PEERLESS_CHECK(done == 1, "RAND_bytes gives no random bytes");
  return nonce;
}

std::string proof(std::string_view secret, Role role, const Introduction& introduction) {
  // A message frames its parts, so that no two introductions have the same bytes.
  const auto bytes = encode({.kind = Message::Kind::hello,
                             .rank = introduction.rank,
                             .number = introduction.world_size,
                             .texts = {concat(role == Role::client ? "client " : "server ", introduction.server_nonce),
                                       introduction.client_nonce, introduction.attempt}});
  std::string digest(EVP_MAX_MD_SIZE, '\0');
  unsigned int size = 0;
  const auto* const made = HMAC(EVP_sha256(), secret.data(), static_cast<int>(secret.size()),
                                reinterpret_cast<const unsigned char*>(bytes.data()), bytes.size(),
                                reinterpret_cast<unsigned char*>(digest.data()), &size);
  PEERLESS_CHECK(made != nullptr, "libcrypto has no HMAC-SHA256");
  digest.resize(size);
  return digest;
}

bool is_proof(std::string_view claimed, std::string_view secret, Role role, const Introduction& introduction) {
  const auto expected = proof(secret, role, introduction);
  return claimed.size() == expected.size() && CRYPTO_memcmp(claimed.data(), expected.data(), expected.size()) == 0;
}

}  // namespace peerless::cluster
