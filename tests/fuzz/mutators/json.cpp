#include "tests/fuzz/mutators/json.h"

#include <algorithm>
#include <array>
#include <utility>
#include <vector>

namespace peerless::fuzz {
namespace {

// It, and all that it holds.
void collect(Json& json, std::vector<Json*>& into) {
  into.push_back(&json);
  if (!json.is_structured()) return;
  for (auto& value : json) collect(value, into);
}

std::string mutated(std::string text, Random& random) {
  constexpr std::array kNames = {"", "__metadata__", "MANIFEST.json", "../x", "a/b", "a\\b", "a\nb", "..", ".a"};
  if (random() % 4 == 0) return kNames[random() % kNames.size()];
  const auto size = text.size();
  text.resize(size + 16);
  text.resize(LLVMFuzzerMutate(reinterpret_cast<std::uint8_t*>(text.data()), size, text.size()));
  return text;
}

Json mutated_number(const Json& json, Random& random) {
  const auto old = json.is_number_unsigned() ? json.get<std::uint64_t>() : 0;
  const std::array<Json, 6> numbers = {old + 1, old - 1, old * 2, old / 2, -1, std::uint64_t{1} << random() % 64};
  return numbers[random() % numbers.size()];
}

void mutate_container(Json& json, Random& random) {
  const auto any = [&] { return std::next(json.begin(), static_cast<std::ptrdiff_t>(random() % json.size())); };
  const Json copy = *any();
  switch (random() % 3) {
    case 0:
      json.erase(any());
      return;
    case 1:
      std::swap(*any(), *any());
      return;
    default:
      if (json.is_array()) {
        json.insert(any(), copy);
      } else {
        json[mutated(any().key(), random)] = copy;
      }
  }
}

}  // namespace

void mutate(Json& json, Random& random) {
  std::vector<Json*> all;
  collect(json, all);
  auto& value = *all[random() % all.size()];
  if (random() % 4 == 0) {
    value = Json(*all[random() % all.size()]);
  } else if (value.is_string()) {
    value = mutated(value.get<std::string>(), random);
  } else if (value.is_structured() && !value.empty()) {
    mutate_container(value, random);
  } else {
    value = mutated_number(value, random);
  }
}

std::string to_text(const Json& json) { return json.dump(-1, ' ', false, Json::error_handler_t::replace); }

std::size_t put(std::string_view text, std::span<std::uint8_t> data) {
  const auto size = std::min(text.size(), data.size());
  std::copy_n(text.begin(), size, data.begin());
  return size;
}

}  // namespace peerless::fuzz
