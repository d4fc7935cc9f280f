#include "peerless/model/stats.h"

#include <algorithm>

namespace peerless {
namespace {

template <class Values>
auto* find(Values& values, std::string_view name) {
  const auto it = std::find_if(values.begin(), values.end(), [&](const auto& v) { return v.first == name; });
  return it == values.end() ? nullptr : &it->second;
}

}  // namespace

void Stats::set(std::string name, at::Tensor value) {
  TORCH_CHECK(!contains(name), "statistic ", name, " is set twice");
  TORCH_CHECK(!value.requires_grad(), "statistic ", name, " must not require a gradient");
  values_.emplace_back(std::move(name), std::move(value));
}

const at::Tensor& Stats::at(std::string_view name) const {
  const auto* value = find(values_, name);
  TORCH_CHECK(value, "no statistic named ", name);
  return *value;
}

bool Stats::contains(std::string_view name) const { return find(values_, name) != nullptr; }

void Stats::add(const Stats& other) { add(other, ""); }

void Stats::add(const Stats& other, const std::string& prefix) {
  for (const auto& [name, value] : other.values_) {
    if (auto* mine = find(values_, prefix + name))
      *mine = *mine + value;
    else
      values_.emplace_back(prefix + name, value);
  }
}

Stats Stats::under(std::string_view prefix) const {
  Stats some;
  for (const auto& [name, value] : values_)
    if (name.starts_with(prefix)) some.set(name.substr(prefix.size()), value);
  return some;
}

}  // namespace peerless
