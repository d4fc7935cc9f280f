#include "peerless/model/stats.h"

#include <algorithm>

namespace peerless {
namespace {

template <class Values>
auto* find(Values& values, std::string_view name) {
  const auto it = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.name == name; });
  return it == values.end() ? nullptr : &*it;
}

}  // namespace

void Stats::set(std::string name, at::Tensor value) {
  TORCH_CHECK(!contains(name), "statistic ", name, " is set twice");
  TORCH_CHECK(!value.requires_grad(), "statistic ", name, " must not require a gradient");
  values_.push_back({std::move(name), std::move(value), /*own=*/false});
}

const at::Tensor& Stats::at(std::string_view name) const {
  const auto* value = find(values_, name);
  TORCH_CHECK(value, "no statistic named ", name);
  return value->tensor;
}

bool Stats::contains(std::string_view name) const { return find(values_, name) != nullptr; }

at::Tensor Stats::take(std::string_view name) {
  auto value = at(name);
  std::erase_if(values_, [&](const auto& v) { return v.name == name; });
  return value;
}

void Stats::add(const Stats& other) { add(other, ""); }

void Stats::add(const Stats& other, const std::string& prefix) {
  for (const auto& [name, tensor, own] : other.values_) {
    auto* const mine = find(values_, prefix + name);
    if (!mine) {
      values_.push_back({prefix + name, tensor, /*own=*/false});
    } else if (mine->own) {
      mine->tensor.add_(tensor);
    } else {
      mine->tensor = mine->tensor + tensor;
      mine->own = true;
    }
  }
}

std::vector<std::pair<std::string, at::Tensor>> Stats::named() const {
  std::vector<std::pair<std::string, at::Tensor>> all;
  for (const auto& value : values_) all.emplace_back(value.name, value.tensor);
  return all;
}

Stats Stats::under(std::string_view prefix) const {
  Stats some;
  for (const auto& value : values_)
    if (value.name.starts_with(prefix)) some.set(value.name.substr(prefix.size()), value.tensor);
  return some;
}

}  // namespace peerless
