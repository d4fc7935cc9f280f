// Small jobs of several processes of this machine.
#pragma once

#include <gtest/gtest.h>

#include "tests/cli/small_job.h"

namespace peerless::test {

using Settings = std::vector<std::string>;

class Several : public testing::Test {
 protected:
  // So many processes that train together; each may have settings of its own.
  std::vector<Process> start(int processes, const std::string& name, const Settings& settings,
                             const std::vector<Settings>& own = {}) {
    const std::string meeting = "file:meeting-" + std::to_string(++meetings_);
    std::vector<Process> started;
    for (int rank = 0; rank < processes; ++rank) {
      Settings all = settings;
      if (!own.empty()) all.insert(all.end(), own[rank].begin(), own[rank].end());
      // Should they share a GPU: NCCL allows that only to processes which it takes for those of different hosts.
      setenv("NCCL_HOSTID", std::to_string(rank).c_str(), /*overwrite=*/1);
      started.push_back(join(job, name, all, rank, processes, meeting));
    }
    return started;
  }
  // One of so many, in the folder of a job.
  static Process join(const SmallJob& in, const std::string& name, Settings settings, int rank, int processes,
                      const std::string& meeting) {
    settings.insert(settings.begin(), "train.threads=1");
    if (processes > 1) {
      const auto flags = meet(rank, processes, meeting);
      settings.insert(settings.end(), flags.begin(), flags.end());
    }
    return in.start(name, settings);
  }
  // What each had to say, by rank.
  std::vector<Outcome> train(int processes, const std::string& name, const Settings& settings,
                             const std::vector<Settings>& own = {}) {
    return wait(start(processes, name, settings, own));
  }
  static std::vector<Outcome> wait(const std::vector<Process>& started) {
    std::vector<Outcome> outcomes;
    for (const auto& process : started) outcomes.push_back(process.wait());
    return outcomes;
  }
  static Settings meet(int rank, int processes, const std::string& meeting) {
    const auto number = std::to_string(rank), size = std::to_string(processes);
    return {"--rank", number,         "--world-size", size,           "--local-rank",
            number,   "--local-size", size,           "--rendezvous", meeting};
  }
  void expect_all(const std::vector<Outcome>& outcomes, int code) const {
    for (const auto& outcome : outcomes) EXPECT_EQ(outcome.code, code) << outcome;
  }
  void expect_same_runs(const std::string& a, const std::string& b) const {
    const auto diff = job.diff(a, b);
    EXPECT_EQ(diff.out, "identical\n") << diff;
    EXPECT_EQ(job.metrics(a), job.metrics(b));
  }
  SmallJob job;

 private:
  int meetings_ = 0;
};

}  // namespace peerless::test
