// Tree -> config struct, checked against its declaration.
#pragma once

#include "peerless/config/type.h"
#include "peerless/config/yaml.h"

namespace peerless::config {

// Sets the fields of `value` that the tree names; the others keep what they are. Overrides hide no error of the file:
// its values are checked as if they counted.
//
// Error(config), in the order of the file, one line per problem and ten at most:
//   run.yaml:9:3: model.ffw.num_kyes: unknown key; did you mean 'num_keys'?
//   run.yaml:9:10: model.ffw.top_k: must be >= 1, got 0
//   run.yaml:1:1: tokenizer.model: is required, and must be non-empty
//   run.yaml:6:3: model.ffw: top_k (9) must not exceed num_keys (8)          (what the struct's check() says)
void read(const Tree& tree, const Record& type, void* value);

}  // namespace peerless::config
