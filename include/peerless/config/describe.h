// What may be written in a config, for people: one flat list of keys, and the texts made of it.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "peerless/config/type.h"

namespace peerless::config {

// `*` stands for an element of a list, brackets for a kind: "data.train.*.weight", "model.ffw[peer].top_k".
struct Key {
  std::string path;
  std::string section;  // the path of the mapping that it stands in; empty at the top
  std::string name;
  std::string type;           // "integer"
  std::string default_value;  // YAML on one line; "not set" for an absent optional, "required" where there is none
  std::string rule;           // ">= 1"; empty: everything goes
  Resume resume;
  std::string help;
  bool is_section;      // a mapping, or a list of mappings, whose own keys follow
  const Record* owner;  // the record that declares it
};

std::vector<Key> keys(const Record& type);

// Everything about the keys that `path` means: a number or `*` for an element of a list or neither, all kinds where it
// names none. Error(config) with the nearest key when there is none.
std::string explain(const Record& type, std::string_view path);

// The key or section as one writes it in an override, without kinds: optim[adamw].lr -> optim.lr. The same
// error when there is none.
std::string plain_key(const Record& type, std::string_view path);

// docs/config.md: a table per section.
std::string markdown(const Record& type);

struct HelpRow {
  std::string key;
  std::string text;  // "peak learning rate (number > 0, default 0.001)"
};
std::vector<HelpRow> help_rows(const Record& type);

// The path of every key that takes a value.
std::vector<std::string> leaf_paths(const Record& type);

}  // namespace peerless::config
