#include "src/data/ordered_work.h"

#include <gtest/gtest.h>
#include <sys/resource.h>
#include <unistd.h>

#include <atomic>
#include <chrono>
#include <fstream>
#include <stdexcept>

namespace peerless {
namespace {

void sleep_microseconds(int count) { std::this_thread::sleep_for(std::chrono::microseconds(count)); }

TEST(OrderedWork, ResultsComeInTheOrderOfTheItems) {
  for (const std::int64_t threads : {1, 2, 5}) {
    std::vector<int> results;
    OrderedWork<int, int> work(
        threads, /*budget=*/10,
        [](int item) {
          sleep_microseconds(item % 3 * 100);
          return 2 * item;
        },
        [&](int result) { results.push_back(result); });
    for (int i = 0; i < 200; ++i) work.add(i, 1);
    work.finish();
    ASSERT_EQ(results.size(), 200u);
    for (int i = 0; i < 200; ++i) EXPECT_EQ(results[static_cast<std::size_t>(i)], 2 * i);
  }
}

TEST(OrderedWork, NoMoreThanTheBudgetIsUnderWayButForOneLargeItem) {
  std::atomic<std::int64_t> under_way = 0;
  std::int64_t most = 0;
  OrderedWork<int, int> work(
      3, /*budget=*/10, [](int weight) { return weight; }, [&](int weight) { under_way -= weight; });
  for (const int weight : {4, 4, 4, 9, 1, 50, 3, 3, 3, 3, 3}) {
    work.add(weight, static_cast<std::uint64_t>(weight));
    under_way += weight;
    if (weight < 50) most = std::max<std::int64_t>(most, under_way);
  }
  work.finish();
  EXPECT_LE(most, 10);
  EXPECT_EQ(under_way, 0);
}

TEST(OrderedWork, AnExceptionComesWhereItsResultWasDue) {
  std::vector<int> results;
  OrderedWork<int, int> work(
      3, /*budget=*/100, [](int item) { return item == 7 ? throw std::runtime_error("seven") : item; },
      [&](int result) { results.push_back(result); });
  for (int i = 0; i < 20; ++i) work.add(i, 1);
  EXPECT_THROW(work.finish(), std::runtime_error);
  EXPECT_EQ(results, (std::vector<int>{0, 1, 2, 3, 4, 5, 6}));
}

#if !defined(__SANITIZE_ADDRESS__) && !defined(__SANITIZE_THREAD__)  // they need more memory than the limit leaves
TEST(OrderedWork, GoesOnWithTheThreadsThatTheSystemAllows) {
  std::size_t pages = 0;
  std::ifstream("/proc/self/statm") >> pages;
  rlimit before;
  ::getrlimit(RLIMIT_AS, &before);
  rlimit limit = before;
  limit.rlim_cur = pages * static_cast<std::size_t>(::sysconf(_SC_PAGESIZE)) + (64 << 20);  // a thread's stack: 8 MiB
  ::setrlimit(RLIMIT_AS, &limit);
  std::int64_t sum = 0;
  {
    OrderedWork<int, int> work(
        1000, /*budget=*/10, [](int item) { return item; }, [&](int item) { sum += item; });
    ::setrlimit(RLIMIT_AS, &before);
    for (int i = 1; i <= 100; ++i) work.add(i, 1);
    work.finish();
  }
  EXPECT_EQ(sum, 5050);
}
#endif

TEST(OrderedWork, MayBeLeftWithWorkUnderWay) {
  for (int i = 0; i < 20; ++i) {
    OrderedWork<int, int> work(
        2, /*budget=*/100,
        [](int item) {
          sleep_microseconds(100);
          return item;
        },
        [](int) {});
    for (int j = 0; j < i; ++j) work.add(j, 1);
  }
}

}  // namespace
}  // namespace peerless
