#include "src/dist/worker.h"

#include <gtest/gtest.h>

#include <stdexcept>
#include <vector>

namespace peerless {
namespace {

TEST(Worker, RunsTasksInTheirOrder) {
  Worker worker;
  for (int round = 0; round < 3; ++round) {
    std::vector<int> done;
    for (int i = 0; i < 100; ++i) worker.add([&done, i] { done.push_back(i); });
    worker.finish();
    ASSERT_EQ(done.size(), 100u);
    for (int i = 0; i < 100; ++i) EXPECT_EQ(done[static_cast<std::size_t>(i)], i);
  }
}

TEST(Worker, AfterAFailureRunsNothingAndSaysSo) {
  Worker worker;
  bool ran = false;
  worker.add([] { throw std::runtime_error("no more"); });
  worker.add([&] { ran = true; });
  EXPECT_THROW(worker.finish(), std::runtime_error);
  EXPECT_THROW(worker.finish(), std::runtime_error);
  EXPECT_FALSE(ran);
}

TEST(Worker, MayEndAtAnyTime) {
  for (int i = 0; i < 100; ++i) {
    Worker worker;
    worker.add([] {});
  }
}

}  // namespace
}  // namespace peerless
