// `key.path=value` from the command line, laid over the tree of a file before it is read.
#pragma once

#include <string>
#include <vector>

#include "peerless/config/yaml.h"

namespace peerless::config {

// Applies the overrides in order, so that a later one wins. The value is strict YAML ("3", "[0, 1]", "{kind: dense}")
// and replaces what was there, a whole mapping or list as well; an element of a list is named by its number:
// "model.layers.0.ffw.top_k=4". Keys are checked when the tree is read, with "command line" as their place.
//
// Error(config) when the text is no override, or names an element that its list does not have.
void apply_overrides(Tree& tree, const std::vector<std::string>& overrides);

}  // namespace peerless::config
