// dataset.json: which shards a prepared folder holds, and how it was made.
#pragma once

#include <filesystem>
#include <map>
#include <optional>
#include <string>

#include "peerless/base/files.h"
#include "peerless/base/hash.h"

namespace peerless {

struct Dataset {
  struct Shard {
    Digest digest;
    std::uint64_t tokens = 0, documents = 0, raw_bytes = 0;
  };
  std::map<std::string, Shard> shards;       // by file name
  std::map<std::string, std::string> facts;  // for people: tokenizer, part of the split, ...
};

// Nothing when the folder has none (or is no folder). Error(data) when it cannot be understood.
std::optional<Dataset> read_dataset(const std::filesystem::path& folder);
void write_dataset(Files& files, const std::filesystem::path& folder, const Dataset& dataset);

}  // namespace peerless
