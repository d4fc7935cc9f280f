// Config struct -> YAML.
#pragma once

#include <map>
#include <string>
#include <string_view>

#include "peerless/config/type.h"
#include "peerless/config/yaml.h"

namespace peerless::config {

// Where each value of a config comes from: "default", "run.yaml:9", "command line" or "derived".
class Origins {
 public:
  Origins() = default;  // everything is a default
  explicit Origins(const Tree& tree);

  // The program chose the value of this key itself, after reading: "model.head_dim".
  void derive(std::string path) { origins_.insert_or_assign(std::move(path), "derived"); }
  // Of a key; of a list's, with those of its elements where they differ: "run.yaml:9, command line".
  std::string of(std::string_view path) const;

 private:
  void add(const Node& node, const std::string& path, const std::string& source);

  std::map<std::string, std::string, std::less<>> origins_;
};

// Every key with its value. Equal configs give equal bytes, and reading them back gives an equal config.
std::string dump(const Record& type, const void* value);

// The same with each value's origin as a comment.
std::string show(const Record& type, const void* value, const Origins& origins);

// Any value on one line: {at: [2, 5-9], ffw: {kind: dense, d_ff: 704}}.
std::string one_line(const Type& type, const void* value);

}  // namespace peerless::config
