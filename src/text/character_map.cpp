#include "src/text/character_map.h"

#include <algorithm>
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

// Walks from the root to whatever can be reached.
class Walk {
 public:
  Walk(const std::vector<Unit>& units, std::size_t texts)
      : units_(units), texts_(texts), states_(units.size()), leaves_(units.size()) {}

  // Whether it stays inside, comes to an end, and no path has more leaves than the library has room for.
  bool ends_well() {
    if (units_.empty() || !enter(0)) return false;
    while (!path_.empty()) {
      auto& [at, byte] = path_.back();
      if (byte == kBytes) {
        if (!leave()) return false;
        continue;
      }
      const std::size_t child = children_of(at) ^ byte;
      const bool is_child = units_[child].label() == byte++;
      if (!is_child) continue;
      if (states_[child] == State::open) return false;
      if (states_[child] == State::done)  // endings may be shared
        leaves_[at] = std::max(leaves_[at], leaves_[child]);
      else if (!enter(child))
        return false;
    }
    return true;
  }

 private:
  static constexpr std::size_t kMostLeaves = 32;
  enum class State : std::uint8_t { unseen, open, done };
  struct Visit {
    std::size_t at, next_byte;
  };

  std::size_t children_of(std::size_t at) const { return at ^ units_[at].offset(); }

  bool enter(std::size_t at) {
    const std::size_t children = children_of(at);
    if ((children | (kBytes - 1)) >= units_.size()) return false;
    if (units_[at].has_text() && units_[children].text() >= texts_) return false;
    states_[at] = State::open;
    path_.push_back({at, 0});
    return true;
  }

  bool leave() {
    const std::size_t at = path_.back().at;
    path_.pop_back();
    states_[at] = State::done;
    if (units_[at].has_text() && ++leaves_[at] > kMostLeaves) return false;
    if (!path_.empty()) leaves_[path_.back().at] = std::max(leaves_[path_.back().at], leaves_[at]);
    return true;
  }

  const std::vector<Unit>& units_;
  const std::size_t texts_;
  std::vector<State> states_;
  std::vector<std::uint8_t> leaves_;  // on a path from there downwards, at most
  std::vector<Visit> path_;
};

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
  return Walk(units, map.size() - size).ends_well();
}

}  // namespace peerless
