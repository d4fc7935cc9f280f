#include "src/data/dataset_file.h"

#include <nlohmann/json.hpp>

#include "peerless/base/error.h"

namespace peerless {
namespace {

constexpr std::string_view kName = "dataset.json";
constexpr int kFormat = 1;
constexpr std::uint64_t kMaxBytes = 64 << 20;

}  // namespace

std::optional<Dataset> read_dataset(const std::filesystem::path& folder) {
  const auto file = folder / kName;
  if (!exists(disk(), file)) return std::nullopt;
  try {
    const auto json = nlohmann::json::parse(read_text(disk(), file, kMaxBytes));
    const int format = json.at("format").get<int>();
    if (format != kFormat) throw Error(ExitCode::data, file, ": expected format ", kFormat, ", found ", format);
    Dataset dataset;
    for (const auto& [name, shard] : json.at("shards").items()) {
      dataset.shards[name] = {Digest::parse(shard.at("digest").get<std::string>(), file.string()), shard.at("tokens"),
                              shard.at("documents"), shard.at("raw_bytes")};
    }
    json.at("facts").get_to(dataset.facts);
    return dataset;
  } catch (const nlohmann::json::exception& error) {
    throw Error(ExitCode::data, file,
                ": not the list of shards that `data prepare` writes: ", excerpt(error.what(), 500));
  }
}

void write_dataset(Files& files, const std::filesystem::path& folder, const Dataset& dataset) {
  nlohmann::ordered_json json;
  json["format"] = kFormat;
  json["facts"] = dataset.facts;
  json["shards"] = nlohmann::ordered_json::object();
  for (const auto& [name, shard] : dataset.shards) {
    json["shards"][name] = {{"digest", shard.digest.hex()},
                            {"tokens", shard.tokens},
                            {"documents", shard.documents},
                            {"raw_bytes", shard.raw_bytes}};
  }
  // A path among the facts may hold any bytes.
  write_atomically(files, folder / kName, json.dump(2, ' ', false, nlohmann::json::error_handler_t::replace) + "\n");
}

}  // namespace peerless
