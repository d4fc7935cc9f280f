#include "peerless/config/overrides.h"

#include <algorithm>
#include <charconv>
#include <utility>

#include "peerless/base/error.h"

namespace peerless::config {
namespace {

bool is_index(std::string_view text) {
  return !text.empty() && text.find_first_not_of("0123456789") == std::string_view::npos;
}

Node& element(Node& list, std::string_view index, std::string_view path) {
  std::size_t i = list.children.size();
  std::from_chars(index.data(), index.data() + index.size(), i);
  if (i < list.children.size()) return list.children[i];
  throw Error(ExitCode::config, where("", {}, path), "there is no such element, the list has ", list.children.size(),
              "; to add one, set the whole list");
}

// The child called `key`, made when absent; what is no mapping becomes one.
Node& member(Node& parent, std::string_view key, std::string_view path) {
  if (is_index(key)) {
    if (parent.form == Node::Form::list) return element(parent, key, path);
    throw Error(ExitCode::config, where("", {}, path), "the config sets no such list; set the whole list");
  }
  if (parent.form != Node::Form::mapping) {
    parent = Node{.form = Node::Form::mapping, .implied = true, .key_place = parent.key_place, .key = parent.key};
  }
  for (Node& child : parent.children) {
    if (child.key == key) return child;
  }
  return parent.children.emplace_back(Node{.key = std::string(key)});
}

void apply_override(Node& root, std::string_view text) {
  const auto equals = text.find('=');
  const std::string_view path = text.substr(0, equals);
  const auto keys = split(path, '.');
  const bool has_empty_key = std::find(keys.begin(), keys.end(), "") != keys.end();
  if (equals == std::string_view::npos || has_empty_key) {
    throw Error(ExitCode::config, "command line: expected key.path=value, got '", excerpt(text), "'");
  }
  if (keys.size() > kMaxDepth) {
    throw Error(ExitCode::config, where("", {}, excerpt(path)), "nested deeper than ", kMaxDepth, " levels");
  }

  Node value = parse_override_value(text.substr(equals + 1), excerpt(path), keys.size());
  Node* node = &root;
  std::string at;
  for (const std::string& key : keys) {
    at = child_path(at, excerpt(key));
    node = &member(*node, key, at);
  }
  value.key = node->key;
  *node = std::move(value);
}

}  // namespace

void apply_overrides(Tree& tree, const std::vector<std::string>& overrides) {
  if (!overrides.empty() && !tree.alone) tree.alone = tree.root;
  for (const std::string& text : overrides) apply_override(tree.root, text);
}

}  // namespace peerless::config
