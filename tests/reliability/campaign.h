// What a campaign is: trials that differ by chance, and what they found.
#pragma once

#include <cstdint>
#include <functional>
#include <map>
#include <optional>
#include <random>
#include <set>
#include <string>
#include <vector>

#include "peerless/base/text.h"

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
  std::string untried = {};                            // why there are no trials

  bool harmed() const { return lost + unloadable > 0; }
  bool good() const {
    if (!untried.empty()) return true;
    return trials > 0 && harmed() == control && failures.empty();
  }
};

using Results = std::vector<Result>;

Results kill(const Request& request);
Results power_loss(const Request& request);
Results io_errors(const Request& request);
Results flips(const Request& request);

// Makes trials until `count` of them have counted, or thrice as many were made; then, what is missing. `trial` is told
// how many have counted, and says whether it does.
inline std::optional<std::string> make_trials(std::int64_t count, const std::function<bool(std::int64_t)>& trial) {
  constexpr std::int64_t kMost = 3;
  std::int64_t counted = 0;
  for (std::int64_t i = 0; i < kMost * count && counted < count; ++i) counted += trial(counted) ? 1 : 0;
  if (counted == count) return std::nullopt;
  return concat("only ", counted, " of ", count, " trials count");
}

// The results of all variants. What is missing from all of them together counts as a failure of the first; a variant of
// which no trial counted, and nothing went wrong, is left out.
inline Results collect(std::map<std::string, Result>& variants, const std::optional<std::string>& missing) {
  Results all;
  for (auto& [name, result] : variants) all.push_back(std::move(result));
  if (missing) all.front().failures.push_back(*missing);
  std::erase_if(all, [](const auto& one) { return one.trials == 0 && !one.harmed() && one.failures.empty(); });
  return all;
}

// Every one of `names` must be where a fault came: what `name` makes of the labels in the histograms.
template <class Name>
void expect_faults_at_each(const std::set<std::string>& names, Results& results, const Name& name) {
  std::set<std::string> struck;
  for (const auto& result : results)
    for (const auto& [where, count] : result.histogram) struck.insert(name(where));
  for (const auto& each : names)
    if (!struck.contains(each)) results.front().failures.push_back(concat("no fault came at: ", each));
}

}  // namespace peerless::reliability
