// Hashes that detect accident (not attack): XXH3 of 64 and 128 bits, from libxxhash.
#pragma once

#include <cstddef>
#include <cstdint>
#include <memory>
#include <optional>
#include <span>
#include <string>
#include <string_view>

namespace peerless {

// 64 bits as 16 lower-case hexadecimal digits, and back; nothing unless it is 16 digits, of either case.
std::string hex16(std::uint64_t value);
std::optional<std::uint64_t> parse_hex16(std::string_view digits);

// XXH3-128 of some bytes: names a file's content, a tokenizer, a data set.
struct Digest {
  std::uint64_t high = 0;
  std::uint64_t low = 0;

  std::string hex() const;  // 32 lower-case digits, high half first
  // Error(data), "WHERE: ...", unless it is 32 hexadecimal digits.
  static Digest parse(std::string_view hex, std::string_view where);
  bool operator==(const Digest&) const = default;
};

Digest digest(std::span<const std::byte> bytes);
Digest digest(std::string_view bytes);

// XXH3-64: the checksum of a block.
std::uint64_t checksum(std::span<const std::byte> bytes);
std::uint64_t checksum(std::string_view bytes);

// The digest and the checksum of bytes that come in pieces.
class Hasher {
 public:
  Hasher();
  ~Hasher();
  Hasher(Hasher&&) noexcept;
  Hasher& operator=(Hasher&&) noexcept;

  void update(std::span<const std::byte> bytes);
  void update(std::string_view bytes);
  Digest digest() const;  // of everything so far; more may follow
  std::uint64_t checksum() const;

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace peerless
