#include "peerless/base/random.h"

#include <algorithm>
#include <bit>
#include <cmath>
#include <cstddef>

#include "peerless/base/error.h"
#include "peerless/base/hash.h"

namespace peerless {
namespace {

using Words = std::array<std::uint32_t, 4>;

constexpr std::uint32_t kMultiplier0 = 0xD2511F53, kMultiplier1 = 0xCD9E8D57;
constexpr std::uint32_t kWeyl0 = 0x9E3779B9, kWeyl1 = 0xBB67AE85;
constexpr int kRounds = 10;

std::uint32_t high(std::uint64_t value) { return static_cast<std::uint32_t>(value >> 32); }
std::uint32_t low(std::uint64_t value) { return static_cast<std::uint32_t>(value); }

std::uint64_t splitmix(std::uint64_t x) {
  x += 0x9E3779B97F4A7C15;
  x = (x ^ (x >> 30)) * 0xBF58476D1CE4E5B9;
  x = (x ^ (x >> 27)) * 0x94D049BB133111EB;
  return x ^ (x >> 31);
}

// The inner loops below run over kLanes counters at once, one array per word, so that the compiler makes vector code of
// them. Their arithmetic is plain IEEE fp32 without calls to libm: the same bits whatever the vector width.
constexpr std::size_t kLanes = 64;
constexpr std::size_t kBatch = 4 * kLanes;
using LaneWords = std::array<std::uint32_t, kLanes>;

void philox_lanes(std::array<LaneWords, 4>& words, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    for (std::size_t i = 0; i < kLanes; ++i) {
      const std::uint64_t product0 = std::uint64_t{kMultiplier0} * words[0][i];
      const std::uint64_t product1 = std::uint64_t{kMultiplier1} * words[2][i];
      words[0][i] = high(product1) ^ words[1][i] ^ key[0];
      words[2][i] = high(product0) ^ words[3][i] ^ key[1];
      words[1][i] = low(product1);
      words[3][i] = low(product0);
    }
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
}

// sqrt(-2 ln u), u = (w / 2 + 1/2) / 2^31 in (0, 1].
float radius(std::uint32_t w) {
  const float u = (static_cast<float>(static_cast<std::int32_t>(w >> 1)) + 0.5f) * 0x1p-31f;
  // u = 2^e m with m in [sqrt(1/2), sqrt(2)); ln m = 2 artanh(f), f = (m - 1) / (m + 1), |f| < 0.172.
  const auto shifted = static_cast<std::int32_t>(std::bit_cast<std::uint32_t>(u) - 0x3F3504F3);
  const float e = static_cast<float>(shifted >> 23);
  const float m = std::bit_cast<float>(static_cast<std::uint32_t>(shifted & 0x007FFFFF) + 0x3F3504F3);
  const float f = (m - 1) / (m + 1);
  const float f2 = f * f;
  const float log_m = 2 * f * (1 + f2 * (1.0f / 3 + f2 * (1.0f / 5 + f2 * (1.0f / 7 + f2 * (1.0f / 9)))));
  return std::sqrt(std::max(0.0f, -2 * (e * 0.693147181f + log_m)));
}

// cos and sin of w / 2^32 turns: whole quarters are counted in integers, the rest t is within an eighth of a turn.
struct CosSin {
  float cos, sin;
};

CosSin cos_sin(std::uint32_t w) {
  const std::uint32_t quarter = (w + 0x20000000) >> 30;
  const auto rest = static_cast<std::int32_t>(w - (quarter << 30));
  const float t = static_cast<float>(rest) * (1.57079633f * 0x1p-30f);
  const float t2 = t * t;
  const float s = t * (1 - t2 * (1.0f / 6) * (1 - t2 * (1.0f / 20) * (1 - t2 * (1.0f / 42) * (1 - t2 * (1.0f / 72)))));
  const float c =
      1 - t2 * (1.0f / 2) *
              (1 - t2 * (1.0f / 12) * (1 - t2 * (1.0f / 30) * (1 - t2 * (1.0f / 56) * (1 - t2 * (1.0f / 90)))));
  const std::uint32_t odd = 0 - (quarter & 1);  // all ones: cos and sin change places
  const auto cos_bits = std::bit_cast<std::uint32_t>(c), sin_bits = std::bit_cast<std::uint32_t>(s);
  const std::uint32_t cos_sign = ((quarter + 1) & 2) << 30, sin_sign = (quarter & 2) << 30;
  return {std::bit_cast<float>(((cos_bits & ~odd) | (sin_bits & odd)) ^ cos_sign),
          std::bit_cast<float>(((sin_bits & ~odd) | (cos_bits & odd)) ^ sin_sign)};
}

}  // namespace

std::array<std::uint32_t, 4> philox(std::array<std::uint32_t, 4> counter, std::array<std::uint32_t, 2> key) {
  for (int round = 0; round < kRounds; ++round) {
    const std::uint64_t product0 = std::uint64_t{kMultiplier0} * counter[0];
    const std::uint64_t product1 = std::uint64_t{kMultiplier1} * counter[2];
    counter = {high(product1) ^ counter[1] ^ key[0], low(product1), high(product0) ^ counter[3] ^ key[1],
               low(product0)};
    key[0] += kWeyl0;
    key[1] += kWeyl1;
  }
  return counter;
}

std::uint64_t mix(std::uint64_t seed, std::uint64_t value) { return splitmix(splitmix(seed) ^ value); }
std::uint64_t mix(std::uint64_t seed, std::string_view name) { return mix(seed, checksum(name)); }

std::uint64_t RandomStream::bits(std::uint64_t index) const {
  const auto words = philox({low(index), high(index), low(stream_), high(stream_)}, {low(seed_), high(seed_)});
  return std::uint64_t{words[1]} << 32 | words[0];
}

double RandomStream::uniform(std::uint64_t index) const { return static_cast<double>(bits(index) >> 11) * 0x1p-53; }

std::uint64_t RandomStream::below(std::uint64_t bound, std::uint64_t index) const {
  PEERLESS_CHECK(bound >= 1);
  __extension__ using Wide = unsigned __int128;
  return static_cast<std::uint64_t>((Wide{bits(index)} * bound) >> 64);
}

// Numbers 4c .. 4c + 3 come from counter c: two words make two numbers.
void RandomStream::normal(std::span<float> out, std::uint64_t first) const {
  std::array<LaneWords, 4> words;
  std::array<float, kBatch> batch;
  for (std::size_t done = 0; done < out.size();) {
    const std::uint64_t counter = (first + done) / 4;
    for (std::size_t i = 0; i < kLanes; ++i) {
      words[0][i] = low(counter + i);
      words[1][i] = high(counter + i);
      words[2][i] = low(stream_);
      words[3][i] = high(stream_);
    }
    philox_lanes(words, {low(seed_), high(seed_)});
    for (std::size_t half = 0; half < 4; half += 2) {
      for (std::size_t i = 0; i < kLanes; ++i) {
        const float r = radius(words[half][i]);
        const auto [cos, sin] = cos_sin(words[half + 1][i]);
        batch[4 * i + half] = r * cos;
        batch[4 * i + half + 1] = r * sin;
      }
    }
    const std::size_t skip = (first + done) % 4;
    const std::size_t count = std::min(kBatch - skip, out.size() - done);
    std::copy_n(batch.begin() + skip, count, out.begin() + done);
    done += count;
  }
}

}  // namespace peerless
