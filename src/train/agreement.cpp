#include "peerless/train/agreement.h"

#include <algorithm>
#include <map>

#include "peerless/base/ranges.h"
#include "peerless/config/config.h"
#include "peerless/dist/collectives.h"

namespace peerless {
namespace {

using Said = std::vector<std::string>;  // by rank

// "A in process 0; B in processes 1-2", in the order of each one's first process.
std::string who_says_what(const Said& said) {
  RanksByText groups;
  for (std::size_t r = 0; r < said.size(); ++r) add_rank(groups, said[r], static_cast<std::int64_t>(r));
  std::vector<std::string> parts;
  for (const auto& [text, ranks] : groups)
    parts.push_back(concat(text, ranks.size() == 1 ? " in process " : " in processes ", ranges(ranks)));
  return join(parts, "; ");
}

void check_same(Communicator& communicator, const std::string& key, const std::string& here, const char* advice) {
  const Said said = gather(communicator, here);
  if (std::ranges::count(said, here) == std::ssize(said)) return;
  throw SharedError(ExitCode::config, key, ": ", who_says_what(said), "; ", advice);
}

}  // namespace

void check_same_program(Communicator& communicator, const std::string& version) {
  check_same(communicator, "version", version, "all must run the same program");
}

void check_same_device(Communicator& communicator, at::DeviceType device) {
  check_same(communicator, "device", c10::DeviceTypeName(device, /*lower_case=*/true),
             "say device: cuda, and those without a GPU tell why");
}

void check_same_config(Communicator& communicator, const RunConfig& config) {
  const Said configs = gather(communicator, config::dump(config));
  const auto first = config::parse<RunConfig>(configs.front(), "config of process 0");
  std::map<std::string, Said> differing;  // by key
  for (std::size_t r = 1; r < configs.size(); ++r) {
    const auto other = config::parse<RunConfig>(configs[r], concat("config of process ", r));
    for (const auto& d : config::compare(first, other))
      differing.try_emplace(d.path, configs.size(), d.before).first->second[r] = d.after;
  }
  if (differing.empty()) return;
  std::string lines;
  for (const auto& [key, said] : differing) lines += concat("\n  ", key, ": ", who_says_what(said));
  throw SharedError(ExitCode::config, "the processes do not agree:", lines);
}

void check_same_data(Communicator& communicator, const std::vector<std::pair<std::string, Digest>>& data) {
  for (const auto& [key, digest] : data)
    check_same(communicator, key, concat("digest ", digest.hex()), "all need the same files");
}

}  // namespace peerless
