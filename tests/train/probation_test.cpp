#include "peerless/train/probation.h"

#include <gmock/gmock.h>
#include <gtest/gtest.h>

#include <utility>
#include <vector>

namespace peerless {
namespace {

using testing::ElementsAre;
using Passed = std::pair<std::int64_t, std::int64_t>;  // at which step, and of which

// What becomes good while a checkpoint is saved every 10 steps.
std::vector<Passed> run(Probation& probation, std::int64_t after, std::int64_t from, std::int64_t to,
                        std::int64_t bad = -1) {
  std::vector<Passed> all;
  for (auto step = from; step <= to; ++step) {
    if (probation.step_done(step, step != bad, after)) all.emplace_back(step, probation.good());
    if (step % 10 == 0) probation.saved(step);
  }
  return all;
}

TEST(Probation, ACheckpointIsGoodAfterSoManyGoodSteps) {
  Probation probation;
  EXPECT_THAT(run(probation, 5, 1, 34), ElementsAre(Passed(15, 10), Passed(25, 20)));
  EXPECT_EQ(probation.good(), 20);
  EXPECT_THAT(probation.kept(), ElementsAre(20, 30));
}

TEST(Probation, ABadStepBeginsTheCountAnew) {
  Probation probation;
  EXPECT_THAT(run(probation, 5, 1, 19, /*bad=*/13), ElementsAre(Passed(18, 10)));
}

TEST(Probation, TheOneOnTrialIsKeptHoweverManyAreSavedMeanwhile) {
  Probation probation;
  EXPECT_THAT(run(probation, 25, 1, 34), ElementsAre());
  EXPECT_THAT(probation.kept(), ElementsAre(0, 10));
  EXPECT_THAT(run(probation, 25, 35, 69), ElementsAre(Passed(35, 10), Passed(55, 30)));
  EXPECT_THAT(probation.kept(), ElementsAre(30, 50));
}

TEST(Probation, AfterARollbackTheSameOneIsGoodStill) {
  Probation probation;
  run(probation, 5, 1, 32);
  probation.back_to(20);
  EXPECT_THAT(probation.kept(), ElementsAre(0, 20));
  EXPECT_THAT(run(probation, 5, 21, 35), ElementsAre(Passed(35, 30)));
}

}  // namespace
}  // namespace peerless
