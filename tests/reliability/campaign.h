// What a campaign is: trials that differ by chance, and what they found.
#pragma once

#include <cstdint>
#include <map>
#include <random>
#include <string>
#include <vector>

#include "peerless/base/text.h"
#include "tests/support/faulty_files.h"

namespace peerless::reliability {

using Random = std::mt19937_64;

struct Request {
  std::uint64_t seed = 1;
  std::int64_t count = 0;  // trials; 0: as many as cover every case once
  double minutes = 2;      // of a campaign that takes its time
};

// A row of the results: what was tried, how often, and how it went.
struct Result {
  std::string campaign, variant;
  std::uint64_t seed = 0;
  std::int64_t trials = 0;
  std::int64_t lost = 0;        // trials after which something acknowledged was gone
  std::int64_t unloadable = 0;  // ... or nothing could be loaded, or what was loaded was wrong
  bool control = false;         // a pattern that is known to lose data: it must
  std::vector<std::string> failures = {};
  std::map<std::string, std::int64_t> histogram = {};  // of trials, by where the fault came

  bool good() const { return control ? lost + unloadable > 0 : lost + unloadable == 0 && failures.empty(); }
};

using Results = std::vector<Result>;

Results kill(const Request& request);
Results power_loss(const Request& request);
Results io_errors(const Request& request);
Results flips(const Request& request);

// An operation's verb and what it was about: "rename temporary", "sync manifest", "remove trash".
inline std::string label(const Operation& operation) {
  const auto name = operation.path.filename().string();
  const auto parent = operation.path.parent_path().filename().string();
  const auto is = [](const std::string& text, const char* prefix) { return text.starts_with(prefix); };
  const char* const what = is(name, ".tmp-")                ? "temporary"
                           : is(name, ".trash-")            ? "trash"
                           : is(name, "step-")              ? "checkpoint"
                           : is(parent, ".trash-")          ? "file in trash"
                           : name == "MANIFEST.json"        ? "manifest"
                           : name.ends_with(".safetensors") ? "part"
                           : name == "checkpoints"          ? "checkpoints"
                                                            : "run";
  return concat(operation.verb, " ", what);
}

}  // namespace peerless::reliability
