// What may have been meant by a key that does not exist.
#pragma once

#include <string>
#include <string_view>
#include <vector>

#include "peerless/config/describe.h"

namespace peerless::config {

// "model.ffw[peer].top_k" -> "model.ffw.top_k", as one writes it.
std::string without_kinds(std::string_view path);

// The end of the message about an unknown key `name` among the keys `here`: "; did you mean 'max_steps'?". A key of
// that very name elsewhere in `all` comes first ('optim.lr' for 'lr'), then a near one here, then a near one elsewhere;
// where nothing is near, the keys that are here are told.
std::string suggestion(std::string_view name, const std::vector<std::string>& here, const std::vector<Key>& all);

}  // namespace peerless::config
