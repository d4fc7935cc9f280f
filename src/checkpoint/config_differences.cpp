#include "src/checkpoint/config_differences.h"

#include <map>
#include <set>

#include "peerless/config/yaml.h"

namespace peerless {
namespace {

using Settings = std::map<std::string, std::string>;

// "train.max_steps" -> "40", for every scalar.
void flatten(const config::Node& node, const std::string& path, Settings& settings) {
  using Form = config::Node::Form;
  if (node.form == Form::scalar) settings.emplace(path, node.text);
  for (std::size_t i = 0; i < node.children.size(); ++i) {
    const auto& child = node.children[i];
    flatten(child, config::child_path(path, node.form == Form::list ? concat(i) : child.key), settings);
  }
}

Settings settings_of(const Checkpoint& checkpoint) {
  Settings settings;
  flatten(config::parse_yaml(checkpoint.info().config, checkpoint.path().string()).root, "", settings);
  return settings;
}

std::string value_in(const Settings& settings, const std::string& path) {
  const auto found = settings.find(path);
  return found == settings.end() ? "not set" : printable(found->second);
}

}  // namespace

std::vector<std::string> config_differences(const Checkpoint& a, const Checkpoint& b,
                                            const std::function<bool(std::string_view key)>& counts) {
  const auto first = settings_of(a), second = settings_of(b);
  std::set<std::string> paths;
  for (const auto& [path, value] : first) paths.insert(path);
  for (const auto& [path, value] : second) paths.insert(path);
  std::vector<std::string> differences;
  for (const auto& path : paths) {
    const auto before = value_in(first, path), after = value_in(second, path);
    if (counts(path) && before != after) differences.push_back(concat("config.", path, ": ", before, " and ", after));
  }
  return differences;
}

}  // namespace peerless
