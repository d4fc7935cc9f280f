#include "src/ops/group_by_row.h"

#include <array>
#include <memory>
#include <utility>

namespace peerless {
namespace {

constexpr int kDigitBits = 10;
constexpr std::size_t kDigits = std::size_t{1} << kDigitBits;

// A pair with its row in the upper half: comparing keys compares rows, then pairs.
std::uint64_t key(std::int32_t row, std::size_t pair) { return static_cast<std::uint64_t>(row) << 32 | pair; }
std::int32_t row_of(std::uint64_t key) { return static_cast<std::int32_t>(key >> 32); }

// Sorts by the digit of the row that begins at `shift`, equal digits staying in order.
void sort_by_digit(const std::uint64_t* from, std::uint64_t* to, std::size_t n, int shift) {
  const auto digit = [shift](std::uint64_t key) { return (key >> shift) % kDigits; };
  std::array<std::uint32_t, kDigits + 1> place{};
  for (std::size_t i = 0; i < n; ++i) ++place[digit(from[i]) + 1];
  for (std::size_t i = 0; i < kDigits; ++i) place[i + 1] += place[i];
  for (std::size_t i = 0; i < n; ++i) to[place[digit(from[i])]++] = from[i];
}

}  // namespace

PairsByRow group_by_row(std::span<const std::int32_t> row_of_pair, std::int64_t num_rows) {
  const std::size_t num_pairs = row_of_pair.size();
  const auto memory = std::make_unique_for_overwrite<std::uint64_t[]>(2 * num_pairs);
  std::uint64_t *keys = memory.get(), *sorted = keys + num_pairs;
  for (std::size_t pair = 0; pair < num_pairs; ++pair) keys[pair] = key(row_of_pair[pair], pair);
  for (int shift = 0; (num_rows - 1) >> shift > 0; shift += kDigitBits) {
    sort_by_digit(keys, sorted, num_pairs, 32 + shift);
    std::swap(keys, sorted);
  }

  PairsByRow groups;
  groups.order.resize(num_pairs);
  groups.rows.reserve(num_pairs);
  groups.starts.reserve(num_pairs + 1);
  std::int32_t newest = -1;
  for (std::size_t i = 0; i < num_pairs; ++i) {
    groups.order[i] = static_cast<std::int32_t>(keys[i]);
    if (row_of(keys[i]) == newest) continue;
    newest = row_of(keys[i]);
    groups.rows.push_back(newest);
    groups.starts.push_back(static_cast<std::int64_t>(i));
  }
  groups.starts.push_back(static_cast<std::int64_t>(num_pairs));
  return groups;
}

}  // namespace peerless
