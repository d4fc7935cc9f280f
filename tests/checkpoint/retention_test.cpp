// Which checkpoints stay: the newest good ones, and those that a run may go back to.
#include <gtest/gtest.h>

#include "tests/checkpoint/small_folder.h"

namespace peerless {
namespace {

class Retention : public test::SmallFolder {};

TEST_F(Retention, PruningKeepsTheNewestGoodOnes) {
  for (const std::int64_t step : {1, 2, 3, 4, 5}) save(step);
  EXPECT_EQ(folder.prune(3), (std::vector<std::int64_t>{2, 1}));
  EXPECT_EQ(folder.steps(), (std::vector<std::int64_t>{5, 4, 3}));
  EXPECT_EQ(files.list(folder.path()).size(), 3u);
  EXPECT_EQ(folder.prune(3), (std::vector<std::int64_t>{}));
  EXPECT_EQ(folder.steps(), (std::vector<std::int64_t>{5, 4, 3}));
}

TEST_F(Retention, DamagedOnesDoNotCountAsKept) {
  for (const std::int64_t step : {1, 2, 3, 4, 5}) save(step);
  content(5, part).pop_back();
  content(3, Manifest::kFileName).pop_back();
  folder.prune(2);
  EXPECT_EQ(folder.steps(), (std::vector<std::int64_t>{5, 4, 3, 2}));
  EXPECT_EQ(newest(), 4);
}

TEST_F(Retention, SomeAreKeptBesideTheNewest) {
  for (const std::int64_t step : {1, 2, 3, 4, 5}) save(step);
  EXPECT_EQ(folder.surplus(2, {0, 2}), (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(folder.steps().size(), 5u);
  EXPECT_EQ(folder.prune(2, {0, 2}), (std::vector<std::int64_t>{3, 1}));
  EXPECT_EQ(folder.steps(), (std::vector<std::int64_t>{5, 4, 2}));
}

TEST_F(Retention, WhereOneToBeKeptIsNotThereTheOneBeforeIs) {
  for (const std::int64_t step : {1, 2, 3, 5, 6, 7}) save(step);
  content(3, part).pop_back();
  folder.prune(2, {4});
  EXPECT_EQ(folder.steps(), (std::vector<std::int64_t>{7, 6, 2}));
}

TEST_F(Retention, TheNewestUpToAStep) {
  for (const std::int64_t step : {1, 3, 5}) save(step);
  EXPECT_EQ(folder.newest_intact(4)->info().step, 3);
  EXPECT_FALSE(folder.newest_intact(0));
}

TEST_F(Retention, KeepingOnlyOneIsRefused) { EXPECT_THROW(folder.prune(1), BrokenInvariant); }

TEST_F(Retention, GoingBackSetsAsideWhatCameAfter) {
  for (const std::int64_t step : {1, 2, 3}) save(step);
  const auto was = content(3, part);
  folder.set_aside_after(1);
  EXPECT_EQ(newest(), 1);
  EXPECT_EQ(files.list(folder.path()),
            (std::vector<std::string>{"aside-step-000000000002", "aside-step-000000000003", "step-000000000001"}));
  EXPECT_EQ(files.content(folder.path() / "aside-step-000000000003" / part), was);
  save(2);
  folder.set_aside_after(1);  // again: what lies aside stays
  EXPECT_EQ(newest(), 1);
  folder.prune(2);
  EXPECT_EQ(files.list(folder.path()), (std::vector<std::string>{"aside-2-step-000000000002", "aside-step-000000000002",
                                                                 "aside-step-000000000003", "step-000000000001"}));
}

TEST_F(Retention, GoingBackIsDurable) {
  for (const std::int64_t step : {1, 2}) save(step);
  folder.set_aside_after(1);
  files.crash(Loss::unsynced);
  EXPECT_EQ(newest(), 1);
  EXPECT_TRUE(exists(files, folder.path() / "aside-step-000000000002" / Manifest::kFileName));
}

}  // namespace
}  // namespace peerless
