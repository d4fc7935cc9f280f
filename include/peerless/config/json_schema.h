// The JSON Schema (draft 2020-12) of a config, so that editors complete and check the YAML while it is written.
#pragma once

#include <string>

#include "peerless/config/type.h"

namespace peerless::config {

std::string schema(const Record& type, std::string_view title);

}  // namespace peerless::config
