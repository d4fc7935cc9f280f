#include "peerless/cluster/proof.h"

#include <gtest/gtest.h>

#include <set>

namespace peerless::cluster {
namespace {

Introduction introduction() { return {"server's nonce", "client's nonce", 3, 8, "attempt"}; }

std::string hex(std::string_view bytes) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string text;
  for (const unsigned char byte : bytes) {
    text += kDigits[byte / 16];
    text += kDigits[byte % 16];
  }
  return text;
}

// python3 -c 'import hmac, struct; t = lambda s: struct.pack("<I", len(s)) + s
// b = struct.pack("<BQqq", 2, 0, 3, 8) + t(b"client server\x27s nonce") + t(b"client\x27s nonce") + t(b"attempt")
// print(hmac.new(b"secret", t(b), "sha256").hexdigest(), hmac.new(b"", t(b), "sha256").hexdigest())'
TEST(CoordinatorSecret, AProofIsHmacSha256) {
  EXPECT_EQ(hex(proof("secret", Role::client, introduction())),
            "46180a0fd4ac7ce754a51812b8c923f2775ed851cc5105eab78ac5647546408e");
  EXPECT_EQ(hex(proof("", Role::client, introduction())),
            "03e26fc5ffcd0bae3be9ef1d376689713ebccc9f2b799640a108f2ed40d883c7");
}

TEST(CoordinatorSecret, AProofIsAboutEveryPart) {
  std::vector<Introduction> others(5, introduction());
  others[0].server_nonce += 's';
  others[1].client_nonce[0] = 'K';
  others[2].rank = 4;
  others[3].world_size = 9;
  others[4].attempt = "";
  std::set<std::string> proofs = {proof("secret", Role::client, introduction()),
                                  proof("secret", Role::server, introduction()),
                                  proof("other secret", Role::client, introduction())};
  for (const auto& other : others) proofs.insert(proof("secret", Role::client, other));
  EXPECT_EQ(proofs.size(), 8U);
}

// Were the parts only strung together, these two would be the same.
TEST(CoordinatorSecret, APartCannotLendBytesToTheNext) {
  Introduction other = introduction();
  other.server_nonce += other.client_nonce.substr(0, 1);
  other.client_nonce.erase(0, 1);
  EXPECT_NE(proof("secret", Role::client, introduction()), proof("secret", Role::client, other));
}

TEST(CoordinatorSecret, OnlyTheWholeProofIsOne) {
  const auto right = proof("secret", Role::server, introduction());
  const auto accepts = [](std::string_view claimed) {
    return is_proof(claimed, "secret", Role::server, introduction());
  };
  EXPECT_TRUE(accepts(right));
  EXPECT_FALSE(accepts(proof("secret", Role::client, introduction())));
  EXPECT_FALSE(accepts(""));
  EXPECT_FALSE(accepts(right.substr(0, 31)));
  EXPECT_FALSE(accepts(right + '\0'));
  for (std::size_t i = 0; i < right.size(); ++i) {
    auto wrong = right;
    wrong[i] = static_cast<char>(wrong[i] ^ 1);
    EXPECT_FALSE(accepts(wrong)) << i;
  }
}

TEST(CoordinatorSecret, NoncesAreLongAndDiffer) {
  EXPECT_EQ(random_nonce().size(), 32U);
  EXPECT_NE(random_nonce(), random_nonce());
}

}  // namespace
}  // namespace peerless::cluster
