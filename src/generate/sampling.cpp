#include "peerless/generate/sampling.h"

#include <algorithm>
#include <cmath>
#include <numeric>
#include <vector>

#include "peerless/base/random.h"

namespace peerless {
namespace {

// Ids by falling logit, of equals the lower id first; only as many as top_k leaves.
std::vector<TokenId> candidates(std::span<const float> logits, std::int64_t top_k) {
  std::vector<TokenId> ids(logits.size());
  std::iota(ids.begin(), ids.end(), 0);
  const auto before = [&](TokenId a, TokenId b) {
    const float x = logits[static_cast<std::size_t>(a)], y = logits[static_cast<std::size_t>(b)];
    return x != y ? x > y : a < b;
  };
  const auto size = static_cast<std::int64_t>(ids.size());
  const std::int64_t count = top_k > 0 ? std::min(top_k, size) : size;
  std::partial_sort(ids.begin(), ids.begin() + count, ids.end(), before);
  ids.resize(static_cast<std::size_t>(count));
  return ids;
}

}  // namespace

TokenId sample(std::span<const float> logits, const Sampling& sampling, std::uint64_t index) {
  PEERLESS_CHECK(!logits.empty(), "no logits");
  if (sampling.vocab_size > 0)
    logits = logits.first(std::min(logits.size(), static_cast<std::size_t>(sampling.vocab_size)));
  if (std::any_of(logits.begin(), logits.end(), [](float logit) { return std::isnan(logit); }))
    throw Error(ExitCode::data,
                "the model's logits are not numbers: its weights, or what they make of this text, are not finite");
  if (sampling.temperature == 0) return candidates(logits, 1).front();
  const auto ids = candidates(logits, sampling.top_k);
  const double highest = logits[static_cast<std::size_t>(ids.front())];
  std::vector<double> cumulative;  // of unnormalised probabilities
  double sum = 0;
  for (const TokenId id : ids)
    cumulative.push_back(sum += std::exp((logits[static_cast<std::size_t>(id)] - highest) / sampling.temperature));
  const auto position = [&](double mass) {
    const auto it = std::lower_bound(cumulative.begin(), cumulative.end(), mass);
    return static_cast<std::size_t>(std::min(it, cumulative.end() - 1) - cumulative.begin());
  };
  const double nucleus = cumulative[position(sampling.top_p * sum)];
  const double drawn = RandomStream(sampling.seed, mix(0, "sampling")).uniform(index);
  return ids[position(drawn * nucleus)];
}

}  // namespace peerless
