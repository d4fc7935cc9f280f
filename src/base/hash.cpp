#include "peerless/base/hash.h"

#include <xxhash.h>

#include <charconv>
#include <new>

#include "peerless/base/error.h"

namespace peerless {
namespace {

Digest from(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

constexpr std::size_t kHexDigits = 16;  // of 64 bits

}  // namespace

std::string hex16(std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  std::string digits(kHexDigits, '0');
  for (std::size_t i = kHexDigits; i-- > 0; value >>= 4) digits[i] = kDigits[value & 15];
  return digits;
}

std::optional<std::uint64_t> parse_hex16(std::string_view digits) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(digits.data(), digits.data() + digits.size(), value, 16);
  if (digits.size() != kHexDigits || error != std::errc() || end != digits.data() + digits.size()) return std::nullopt;
  return value;
}

std::string Digest::hex() const { return hex16(high) + hex16(low); }

Digest Digest::parse(std::string_view hex, std::string_view where) {
  if (hex.size() == 2 * kHexDigits) {
    const auto high = parse_hex16(hex.substr(0, kHexDigits)), low = parse_hex16(hex.substr(kHexDigits));
    if (high && low) return {*high, *low};
  }
  throw Error(ExitCode::data, where, ": a digest has 32 hexadecimal digits, got \"", printable(hex.substr(0, 80)),
              "\"");
}

Digest digest(std::span<const std::byte> bytes) { return from(XXH3_128bits(bytes.data(), bytes.size())); }
Digest digest(std::string_view bytes) { return from(XXH3_128bits(bytes.data(), bytes.size())); }

std::uint64_t checksum(std::span<const std::byte> bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }
std::uint64_t checksum(std::string_view bytes) { return XXH3_64bits(bytes.data(), bytes.size()); }

// XXH3_createState gives the 64-byte alignment that the library's vector code asks for.
struct Hasher::State {
  State() {
    if (!xxh) throw std::bad_alloc();
    XXH3_128bits_reset(xxh);
  }
  ~State() { XXH3_freeState(xxh); }
  State(const State&) = delete;
  State& operator=(const State&) = delete;

  XXH3_state_t* xxh = XXH3_createState();
};

Hasher::Hasher() : state_(std::make_unique<State>()) {}
Hasher::~Hasher() = default;
Hasher::Hasher(Hasher&&) noexcept = default;
Hasher& Hasher::operator=(Hasher&&) noexcept = default;

void Hasher::update(std::span<const std::byte> bytes) { XXH3_128bits_update(state_->xxh, bytes.data(), bytes.size()); }
void Hasher::update(std::string_view bytes) { update(std::as_bytes(std::span(bytes))); }

Digest Hasher::digest() const { return from(XXH3_128bits_digest(state_->xxh)); }
std::uint64_t Hasher::checksum() const { return XXH3_64bits_digest(state_->xxh); }

}  // namespace peerless
