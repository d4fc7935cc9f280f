#include "peerless/base/hash.h"

#include <xxhash.h>

#include <charconv>
#include <new>
#include <optional>

#include "peerless/base/error.h"

namespace peerless {
namespace {

Digest from(XXH128_hash_t hash) { return {hash.high64, hash.low64}; }

void append_hex(std::string& out, std::uint64_t value) {
  constexpr std::string_view kDigits = "0123456789abcdef";
  for (int shift = 60; shift >= 0; shift -= 4) out += kDigits[(value >> shift) & 15];
}

std::optional<std::uint64_t> parse_half(std::string_view hex) {
  std::uint64_t value = 0;
  const auto [end, error] = std::from_chars(hex.data(), hex.data() + hex.size(), value, 16);
  if (error != std::errc() || end != hex.data() + hex.size()) return std::nullopt;
  return value;
}

}  // namespace

std::string Digest::hex() const {
  std::string out;
  append_hex(out, high);
  append_hex(out, low);
  return out;
}

Digest Digest::parse(std::string_view hex, std::string_view where) {
  if (hex.size() == 32) {
    const auto high = parse_half(hex.substr(0, 16)), low = parse_half(hex.substr(16));
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
