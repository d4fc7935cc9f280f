// Where faults are to come: in each phase of a run once, then at all labels alike.
#pragma once

#include <algorithm>
#include <cmath>
#include <functional>
#include <set>

#include "tests/reliability/campaign.h"
#include "tests/reliability/labels.h"

namespace peerless::reliability {

class Aim {
 public:
  // An operation of a life that has so many of each label, of a phase that is `wanted`. The number of it is one of the
  // first `share` of those of its label.
  Occasion choose(const std::map<std::string, int>& counts, bool (*wanted)(Phase), Random& random, double share = 1) {
    std::vector<std::string> labels;
    for (const auto& [label, count] : counts)
      if (wanted(phase(label))) labels.push_back(label), by_label_[label];
    std::shuffle(labels.begin(), labels.end(), random);
    const auto& label = *std::ranges::min_element(
        labels, {}, [this](const auto& one) { return std::pair(phases_.contains(phase(one)), by_label_[one]); });
    phases_.insert(phase(label));
    ++by_label_[label];
    const auto first = static_cast<std::uint64_t>(std::ceil(share * counts.at(label)));
    return {label, static_cast<int>(1 + random() % first)};
  }

  // Faults must have come in every phase that has a name; at every label too where each was aimed at twice.
  void expect_everywhere(Results& results) const {
    std::set<std::string> phases, labels;
    for (const auto phase : phases_)
      if (phase != Phase::other) phases.insert(name_of(phase));
    expect_faults_at_each(phases, results, [](const std::string& label) { return name_of(phase(label)); });
    for (const auto& [label, times] : by_label_)
      if (times < 2) return;
    for (const auto& [label, times] : by_label_) labels.insert(label);
    expect_faults_at_each(labels, results, std::identity());
  }

 private:
  std::set<Phase> phases_;               // at which was aimed
  std::map<std::string, int> by_label_;  // how often; of all lives that were seen
};

}  // namespace peerless::reliability
