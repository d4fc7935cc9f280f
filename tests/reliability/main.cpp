// Crashes the checkpoint room, as often as asked:
//
//   reliability CAMPAIGN [--seed S] [--count N]
//
// Standard output has a line for each variant: campaign, variant, seed, trials, acknowledged checkpoints lost, unloadable
// folders, "control" or nothing; separated by tabs. Standard error has what a person wants to know. scripts/campaign runs
// it. Without --count, every case is tried once.
#include <cstdio>
#include <functional>
#include <iostream>

#include "peerless/base/log.h"
#include "tests/reliability/campaign.h"

namespace peerless::reliability {
namespace {

const std::map<std::string, std::function<Results(const Request&)>> kCampaigns{{"kill", kill}};

void print(const Result& result) {
  std::cout << result.campaign << '\t' << result.variant << '\t' << result.seed << '\t' << result.trials << '\t'
            << result.lost << '\t' << result.unloadable << '\t' << (result.control ? "control" : "") << std::endl;
  std::cerr << result.campaign << ", " << result.variant << ": " << result.trials << " trials, " << result.lost
            << " acknowledged lost, " << result.unloadable << " unloadable"
            << (result.control ? " (a control: it must lose)" : "") << '\n';
  constexpr std::size_t kShown = 10;
  for (std::size_t i = 0; i < std::min(kShown, result.failures.size()); ++i)
    std::cerr << "  failed: " << result.failures[i] << '\n';
}

// Of all variants together: where the faults came.
void print_histogram(const Results& results) {
  std::map<std::string, std::int64_t> all;
  for (const auto& result : results)
    for (const auto& [where, count] : result.histogram) all[where] += count;
  for (const auto& [where, count] : all)
    std::fprintf(stderr, "  %-28s %6lld\n", where.c_str(), static_cast<long long>(count));
}

int run(const std::vector<std::string>& arguments) {
  const auto campaign = arguments.empty() ? kCampaigns.end() : kCampaigns.find(arguments[0]);
  if (campaign == kCampaigns.end() || arguments.size() % 2 == 0) {
    std::cerr << "usage: reliability CAMPAIGN [--seed S] [--count N]; campaigns:";
    for (const auto& [name, run] : kCampaigns) std::cerr << ' ' << name;
    std::cerr << '\n';
    return static_cast<int>(ExitCode::usage);
  }
  Request request;
  for (std::size_t i = 1; i < arguments.size(); i += 2) {
    if (arguments[i] == "--seed") request.seed = std::stoull(arguments[i + 1]);
    if (arguments[i] == "--count") request.count = std::stoll(arguments[i + 1]);
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

}  // namespace
}  // namespace peerless::reliability

int main(int argc, char** argv) { return peerless::reliability::run({argv + 1, argv + argc}); }
