// The fuzz targets, each in the file of its name. They tell whether the bytes were accepted. CMake makes a program of
// each (cmake/fuzz.cmake).
#pragma once

#include <array>

#include "tests/fuzz/target.h"

namespace peerless::fuzz {

bool journal(Bytes bytes);
bool manifest(Bytes bytes);
bool messages(Bytes bytes);
bool node_list(Bytes bytes);
bool overrides(Bytes bytes);
bool round_trip(Bytes bytes);
bool safetensors(Bytes bytes);
bool sentencepiece(Bytes bytes);
bool shard(Bytes bytes);
bool yaml(Bytes bytes);

struct Target {
  std::string_view name;
  bool (*run)(Bytes);
};

inline constexpr std::array kTargets = {
    Target{"journal", journal},
    Target{"manifest", manifest},
    Target{"messages", messages},
    Target{"node_list", node_list},
    Target{"overrides", overrides},
    Target{"round_trip", round_trip},
    Target{"safetensors", safetensors},
    Target{"sentencepiece", sentencepiece},
    Target{"shard", shard},
    Target{"yaml", yaml},
};

}  // namespace peerless::fuzz
