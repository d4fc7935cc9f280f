// The fuzz targets, each in the file of its name. CMakeLists.txt makes a program of each from its file alone.
#pragma once

#include <array>

#include "tests/fuzz/target.h"

namespace peerless::fuzz {

void journal(Bytes bytes);
void manifest(Bytes bytes);
void messages(Bytes bytes);
void node_list(Bytes bytes);
void overrides(Bytes bytes);
void round_trip(Bytes bytes);
void safetensors(Bytes bytes);
void sentencepiece(Bytes bytes);
void shard(Bytes bytes);
void yaml(Bytes bytes);

struct Target {
  std::string_view name;
  void (*run)(Bytes);
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
