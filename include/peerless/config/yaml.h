// Strict YAML: text -> a tree of nodes that know their place.
//
// A config may come from anywhere, so only the plain part of YAML is read: mappings, lists, scalars and comments.
// Refused with the place, before any tree is built: anchors, aliases, tags, merge keys, a second document, duplicate or
// non-scalar keys, tabs and other control characters, a byte order mark, invalid UTF-8, more than 1 MiB or 32 levels.
// Nothing is expanded, neither environment variables nor "~/".
#pragma once

#include <optional>
#include <string>
#include <string_view>
#include <vector>

namespace peerless::config {

struct Place {
  int line = 0;  // both from 1; 0: the command line
  int column = 0;

  bool operator==(const Place&) const = default;
};

struct Node {
  enum class Form { null, scalar, list, mapping };

  Form form = Form::null;
  bool quoted = false;   // of a scalar: "1" is a string, 1 a number
  bool implied = false;  // of a mapping: nobody wrote it, an override's path needs it
  Place place = {};      // of the value
  Place key_place = {};
  std::string key = {};   // in a mapping; empty in a list and at the root
  std::string text = {};  // of a scalar
  std::vector<Node> children = {};

  const Node* find(std::string_view key) const;  // nullptr when absent
};

struct Tree {
  std::string source;              // the file as the user named it
  Node root;                       // a mapping
  std::optional<Node> alone = {};  // the file's root, where overrides have changed `root`
};

inline constexpr std::size_t kMaxBytes = 1 << 20;
inline constexpr std::size_t kMaxDepth = 32;

// The document in `text`; an empty one is an empty mapping. Error(config): "run.yaml:3:7: train.lr: anchors are
// refused".
Tree parse_yaml(std::string_view text, std::string_view source);

// The one value in `text`, as an override gives it: "3", "[1, 2]", "{kind: dense}". `path` is for the messages; it lies
// `depth` levels deep.
Node parse_override_value(std::string_view text, std::string_view path, std::size_t depth);

// How every message begins: "run.yaml:3:7: train.lr: ", "command line: train.lr: ".
std::string where(std::string_view source, Place place, std::string_view path);

// "model" + "d_model" -> "model.d_model".
std::string child_path(std::string_view parent, std::string_view key);

}  // namespace peerless::config
