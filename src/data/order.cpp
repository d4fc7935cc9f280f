#include "peerless/data/order.h"

#include <algorithm>
#include <numeric>

#include "peerless/base/error.h"
#include "peerless/base/random.h"
#include "peerless/data/permutation.h"

namespace peerless {
namespace {

// A share of a block is a multiple of 1 / kFine; 2^64 / (kBlock * kFine) blocks can be counted: 2^48 samples.
constexpr std::uint64_t kFine = 1 << 16;
constexpr std::uint64_t kAll = SampleOrder::kBlock * kFine;

// Raises the `count` largest remainders by one; among equals, the first.
void round_up_largest(std::vector<std::uint64_t>& values, const std::vector<double>& remainders, std::uint64_t count) {
  std::vector<std::size_t> by_remainder(values.size());
  std::iota(by_remainder.begin(), by_remainder.end(), std::size_t{0});
  std::stable_sort(by_remainder.begin(), by_remainder.end(),
                   [&](std::size_t a, std::size_t b) { return remainders[a] > remainders[b]; });
  for (std::size_t i = 0; i < count; ++i) ++values[by_remainder[i]];
}

std::vector<std::uint64_t> shares_of(const std::vector<SampleOrder::Source>& sources) {
  double sum = 0;
  for (const auto& source : sources) sum += source.weight;
  std::vector<std::uint64_t> shares;
  std::vector<double> remainders;
  for (const auto& source : sources) {
    const double exact = source.weight / sum * static_cast<double>(kAll);
    shares.push_back(static_cast<std::uint64_t>(exact));
    remainders.push_back(exact - static_cast<double>(shares.back()));
    if (shares.back() < kFine) {
      throw Error(ExitCode::config, "data.train: source ", shares.size() - 1, " has ", source.weight / sum,
                  " of all weight; each needs at least 1/4096, so that every 4,096 samples hold one of it");
    }
  }
  const auto total = std::accumulate(shares.begin(), shares.end(), std::uint64_t{0});
  round_up_largest(shares, remainders, kAll - total);
  return shares;
}

}  // namespace

SampleOrder::SampleOrder(std::vector<Source> sources, std::int64_t seed)
    : shares_(shares_of(sources)), seed_(mix(static_cast<std::uint64_t>(seed), "sample order")) {
  for (const auto& source : sources) samples_.push_back(source.samples);
}

std::vector<std::uint64_t> SampleOrder::taken_before(std::uint64_t block) const {
  std::vector<std::uint64_t> taken;
  std::vector<double> remainders;
  std::uint64_t sum = 0;
  for (const std::uint64_t share : shares_) {
    taken.push_back(block * share / kFine);
    remainders.push_back(static_cast<double>(block * share % kFine));
    sum += taken.back();
  }
  round_up_largest(taken, remainders, block * kBlock - sum);
  return taken;
}

SampleId SampleOrder::operator()(std::uint64_t position) const {
  const std::uint64_t block = position / kBlock;
  const auto before = taken_before(block);
  const auto after = taken_before(block + 1);

  std::uint64_t slot = position % kBlock;
  if (samples_.size() > 1) slot = Permutation(kBlock, mix(mix(seed_, "slots"), block))(slot);
  std::size_t source = 0;
  while (slot >= after[source] - before[source]) {
    slot -= after[source] - before[source];
    ++source;
  }
  const std::uint64_t number = before[source] + slot;
  const std::uint64_t epoch = number / samples_[source];
  const std::uint64_t key = mix(mix(mix(seed_, "epochs"), source), epoch);
  return {source, Permutation(samples_[source], key)(number % samples_[source]), epoch};
}

void BatchShare::check() const {
  if (global_batch % micro_batch != 0) {
    throw Error(ExitCode::config, "train.micro_batch_size (", micro_batch, ") must divide train.global_batch_size (",
                global_batch, ")");
  }
  if (global_batch / micro_batch % world != 0) {
    throw Error(ExitCode::config, "the number of processes (", world,
                ") must divide the micro-batches of a step: train.global_batch_size / train.micro_batch_size = ",
                global_batch, " / ", micro_batch, " = ", global_batch / micro_batch);
  }
}

std::uint64_t BatchShare::first_position(std::uint64_t first, std::int64_t micro_batch_of_rank) const {
  const std::int64_t number = rank * micro_batches() + micro_batch_of_rank;
  return first + static_cast<std::uint64_t>(number * micro_batch);
}

}  // namespace peerless
