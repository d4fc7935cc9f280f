// The command line of a program of campaigns:
//
//   PROGRAM CAMPAIGN [--seed S] [--count N] [--minutes M]
//
// Standard output has a line for each variant: campaign, variant, seed, trials, acknowledged checkpoints lost,
// unloadable folders, other failures, "control" or "-", why there are no trials or "-"; separated by tabs. Standard
// error has what a person wants to know, without the warnings of what is tried. scripts/campaign runs it.
#pragma once

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>
#include <cstdio>
#include <functional>
#include <iostream>
#include <map>
#include <string>
#include <vector>

#include "peerless/base/error.h"
#include "tests/reliability/campaign.h"

namespace peerless::reliability {

using Campaigns = std::map<std::string, std::function<Results(const Request&)>>;

// Standard error as it was; the log goes nowhere.
inline FILE* people() {
  static FILE* const file = [] {
    FILE* const saved = ::fdopen(::fcntl(STDERR_FILENO, F_DUPFD_CLOEXEC, 0), "w");
    ::dup2(::open("/dev/null", O_WRONLY | O_CLOEXEC), STDERR_FILENO);
    return saved;
  }();
  return file;
}

inline void print(const Result& r) {
  const auto row =
      concat(r.campaign, "\t", r.variant, "\t", r.seed, "\t", r.trials, "\t", r.lost, "\t", r.unloadable, "\t",
             r.failures.size(), "\t", r.control ? "control" : "-", "\t", r.untried.empty() ? "-" : r.untried);
  std::cout << row << std::endl;
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(kShown, r.failures.size()); ++i)
    std::fprintf(people(), "  failed: %s\n", r.failures[i].c_str());
}

// Of all variants together: where the faults came.
inline void print_histogram(const Results& results) {
  std::map<std::string, std::int64_t> all;
  for (const auto& result : results)
    for (const auto& [where, count] : result.histogram) all[where] += count;
  for (const auto& [where, count] : all)
    std::fprintf(people(), "  %-28s %6lld\n", where.c_str(), static_cast<long long>(count));
}

inline int run_campaign(const Campaigns& campaigns, const std::vector<std::string>& arguments) {
  people();
  const auto campaign = arguments.empty() ? campaigns.end() : campaigns.find(arguments[0]);
  if (campaign == campaigns.end() || arguments.size() % 2 == 0) {
    std::fprintf(people(), "usage: CAMPAIGN [--seed S] [--count N] [--minutes M]; campaigns:");
    for (const auto& [name, run] : campaigns) std::fprintf(people(), " %s", name.c_str());
    std::fprintf(people(), "\n");
    return static_cast<int>(ExitCode::usage);
  }
  Request request;
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    if (arguments[i] == "--seed") request.seed = std::stoull(arguments[i + 1]);
    if (arguments[i] == "--count") request.count = std::stoll(arguments[i + 1]);
    if (arguments[i] == "--minutes") request.minutes = std::stod(arguments[i + 1]);
  }
  const auto results = campaign->second(request);
  bool good = true;
  for (const auto& result : results) {
    print(result);
    good = good && result.good();
  }
  print_histogram(results);
  return good ? 0 : 1;
}

}  // namespace peerless::reliability
