#include "src/text/character_map.h"

#include <bit>
#include <cstdint>
#include <cstring>
#include <vector>

namespace peerless {
namespace {

static_assert(std::endian::native == std::endian::little, "units are read as they lie in memory");

constexpr std::size_t kBytes = 256;

struct Unit {
  std::uint32_t bits;

  bool has_text() const { return (bits >> 8 & 1) != 0; }
  std::uint32_t text() const { return bits & 0x7FFFFFFF; }
  std::uint32_t label() const { return bits & 0x800000FF; }
  std::uint32_t offset() const { return bits >> 10 << ((bits & 1 << 9) >> 6); }
};

// From the root to whatever can be reached.
bool stays_inside(const std::vector<Unit>& units, std::size_t texts) {
  if (units.empty()) return false;
  std::vector<bool> seen(units.size());
  std::vector<std::size_t> open = {0};
  while (!open.empty()) {
    const std::size_t at = open.back();
    open.pop_back();
    const std::size_t children = at ^ units[at].offset();
    if ((children | (kBytes - 1)) >= units.size()) return false;
    if (at != 0 && units[at].has_text() && units[children].text() >= texts) return false;
    for (std::size_t byte = 0; byte < kBytes; ++byte) {
      const std::size_t child = children ^ byte;
      if (units[child].label() != byte || seen[child]) continue;
      seen[child] = true;
      open.push_back(child);
    }
  }
  return true;
}

}  // namespace

bool is_safe_character_map(std::string_view map) {
  if (map.empty()) return true;
  std::uint32_t size = 0;
  if (map.size() <= sizeof(size)) return false;
  std::memcpy(&size, map.data(), sizeof(size));
  map.remove_prefix(sizeof(size));
  if (size >= map.size() || map.back() != '\0') return false;
  std::vector<Unit> units(size / sizeof(Unit));
  if (!units.empty()) std::memcpy(units.data(), map.data(), units.size() * sizeof(Unit));
  return stays_inside(units, map.size() - size);
}

}  // namespace peerless
