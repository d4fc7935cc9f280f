#include "src/ops/group_by_row.h"

#include <array>

namespace peerless {
namespace {

constexpr int kDigitBits = 10;
constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;

// A pair with its row in the upper half: comparing keys compares rows, then pairs.
std::uint64_t key(std::int32_t row, std::size_t pair) { return static_cast<std::uint64_t>(row) << 32 | pair; }
std::int32_t row_of(std::uint64_t key) { return static_cast<std::int32_t>(key >> 32); }

// Sorts by the digit of the row that begins at `shift`, equal digits staying in order.
void sort_by_digit(const std::vector<std::uint64_t>& from, std::vector<std::uint64_t>& to, int shift) {
  const auto digit = [shift](std::uint64_t key) { return (key >> shift) % kDigits; };
  std::array<std::uint32_t, kDigits + 1> place{};
  for (const std::uint64_t k : from) ++place[digit(k) + 1];
  for (std::size_t i = 0; i < kDigits; ++i) place[i + 1] += place[i];
  for (const std::uint64_t k : from) to[place[digit(k)]++] = k;
}

}  // namespace

PairsByRow group_by_row(std::span<const std::int32_t> row_of_pair, std::int64_t num_rows) {
  const std::size_t num_pairs = row_of_pair.size();
  std::vector<std::uint64_t> keys(num_pairs), sorted(num_pairs);
  for (std::size_t pair = 0; pair < num_pairs; ++pair) keys[pair] = key(row_of_pair[pair], pair);
  for (int shift = 0; (num_rows - 1) >> shift > 0; shift += kDigitBits) {
    sort_by_digit(keys, sorted, 32 + shift);
    keys.swap(sorted);
  }

  PairsByRow groups;
  groups.order.reserve(num_pairs);
  for (std::size_t i = 0; i < num_pairs; ++i) {
    if (i == 0 || row_of(keys[i]) != groups.rows.back()) {
      groups.rows.push_back(row_of(keys[i]));
      groups.starts.push_back(static_cast<std::int64_t>(i));
    }
    groups.order.push_back(static_cast<std::int32_t>(keys[i]));
  }
  groups.starts.push_back(static_cast<std::int64_t>(num_pairs));
  return groups;
}

}  // namespace peerless
