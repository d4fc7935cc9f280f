#include "peerless/checkpoint/diff.h"

#include <algorithm>
#include <cmath>
#include <cstring>
#include <map>

#include "peerless/config/compare.h"
#include "src/checkpoint/config_differences.h"
#include "src/checkpoint/elements.h"

namespace peerless {
namespace {

constexpr std::int64_t kChunk = 4 << 20;

std::string text_of(DType dtype, const std::byte* at) {
  if (dtype != DType::i64) return concat(value_of(dtype, at));
  std::int64_t value;
  std::memcpy(&value, at, sizeof value);
  return concat(value);
}

// How far two tensors of one kind are apart.
class Distance {
 public:
  explicit Distance(DType dtype) : dtype_(dtype), width_(size_of(dtype)) {}

  void add(std::span<const std::byte> a, std::span<const std::byte> b) {
    if (std::memcmp(a.data(), b.data(), a.size()) == 0) return;
    for (std::size_t at = 0; at < a.size(); at += width_) {
      if (std::memcmp(&a[at], &b[at], width_) == 0) continue;
      ++count_;
      const double gap = std::abs(value_of(dtype_, &a[at]) - value_of(dtype_, &b[at]));
      if (std::isnan(gap)) {
        not_a_number_ = true;
      } else {
        largest_ = std::max(largest_, gap);
      }
    }
  }

  bool zero() const { return count_ == 0; }

  std::string text(std::int64_t elements) const {
    return concat(count_, " of ", elements, " elements differ, by at most ", largest_,
                  not_a_number_ ? ", and by NaN" : "");
  }

 private:
  DType dtype_;
  std::size_t width_;
  std::int64_t count_ = 0;
  double largest_ = 0;
  bool not_a_number_ = false;
};

// Nothing where both hold the same bits.
std::string compare_tensor(const Checkpoint& a, std::size_t in_a, const Checkpoint& b, std::size_t in_b) {
  const auto& tensor = a.manifest().tensors[in_a];
  const auto& other = b.manifest().tensors[in_b];
  if (tensor.dtype != other.dtype || tensor.shape != other.shape)
    return concat(kind_of(tensor.dtype, tensor.shape), " and ", kind_of(other.dtype, other.shape));

  Distance distance(tensor.dtype);
  const auto width = static_cast<std::int64_t>(size_of(tensor.dtype));
  std::vector<std::byte> bytes_a, bytes_b;
  for_each_piece(tensor.shape, kChunk / width, [&](const Box& box) {
    bytes_a.resize(static_cast<std::size_t>(volume(box.extent) * width));
    bytes_b.resize(bytes_a.size());
    a.read(in_a, box, bytes_a);
    b.read(in_b, box, bytes_b);
    distance.add(bytes_a, bytes_b);
  });
  if (distance.zero()) return "";
  if (tensor.shape.empty())
    return concat(text_of(tensor.dtype, bytes_a.data()), " and ", text_of(tensor.dtype, bytes_b.data()));
  return distance.text(volume(tensor.shape));
}

void compare_tensors(const Checkpoint& a, const Checkpoint& b, std::vector<std::string>& differences) {
  std::map<std::string_view, std::size_t> only_in_b;
  for (std::size_t i = 0; i < b.manifest().tensors.size(); ++i) only_in_b.emplace(b.manifest().tensors[i].name, i);
  for (std::size_t i = 0; i < a.manifest().tensors.size(); ++i) {
    const auto& name = a.manifest().tensors[i].name;
    const auto found = only_in_b.find(name);
    const auto difference = found == only_in_b.end() ? "only in the first" : compare_tensor(a, i, b, found->second);
    if (!difference.empty()) differences.push_back(concat("tensor ", printable(name), ": ", difference));
    if (found != only_in_b.end()) only_in_b.erase(found);
  }
  for (const auto& [name, number] : only_in_b) {
    differences.push_back(concat("tensor ", printable(name), ": only in the second"));
  }
}

bool is_in(std::string_view path, const std::vector<std::string>& sections) {
  return std::any_of(sections.begin(), sections.end(),
                     [&](const auto& section) { return config::covers(section, path); });
}

}  // namespace

std::vector<std::string> diff(const Checkpoint& a, const Checkpoint& b, const std::vector<std::string>& ignored_keys) {
  std::vector<std::string> differences;
  if (a.info().step != b.info().step) differences.push_back(concat("step: ", a.info().step, " and ", b.info().step));
  compare_tensors(a, b, differences);
  const auto compare_digests = [&](std::string_view what, const Digest& first, const Digest& second) {
    if (first != second) differences.push_back(concat(what, ": ", first.hex(), " and ", second.hex()));
  };
  compare_digests("tokenizer", a.info().tokenizer, b.info().tokenizer);
  compare_digests("data", a.info().data, b.info().data);
  const auto counts = [&](std::string_view key) { return !is_in(key, ignored_keys); };
  for (auto& difference : config_differences(a, b, counts)) differences.push_back(std::move(difference));
  return differences;
}

}  // namespace peerless
