#include "peerless/base/log.h"

#include <gtest/gtest.h>

#include <regex>
#include <thread>

#include "peerless/base/files.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

class LogTest : public testing::Test {
 protected:
  ~LogTest() override { log::close_file(); }

  // What `action` writes to standard error.
  template <class Action>
  std::string screen(const Action& action) {
    testing::internal::CaptureStderr();
    action();
    return testing::internal::GetCapturedStderr();
  }

  std::vector<std::string> file_lines() { return split(read_text(disk(), path, 1 << 20), '\n'); }

  TemporaryFolder folder;
  const std::filesystem::path path = folder / "log.txt";
};

TEST_F(LogTest, AnInfoLineHasTheTimeAndTheText) {
  EXPECT_TRUE(std::regex_match(screen([] { log::info("step ", 3, " loss ", 2.5); }),
                               std::regex("[0-9]{2}:[0-9]{2}:[0-9]{2} step 3 loss 2.5\n")));
}

TEST_F(LogTest, WarningsAndErrorsSayWhatTheyAre) {
  EXPECT_TRUE(screen([] { log::warning("w"); }).ends_with(" warning: w\n"));
  EXPECT_TRUE(screen([] { log::error("e"); }).ends_with(" error: e\n"));
}

TEST_F(LogTest, UserTextIsNeverAFormatNorASecondLine) {
  EXPECT_TRUE(screen([] { log::info("{} {0:x}\nfake"); }).ends_with(" {} {0:x}\\x0afake\n"));
}

TEST_F(LogTest, WhatTheUserHasReadElsewhereGoesToTheFileAlone) {
  EXPECT_EQ(screen([&] {
              log::open_file(path);
              log::write_to_file(log::Level::error, "CONFIG: seed");
            }),
            "");
  EXPECT_TRUE(file_lines().front().ends_with(" error: CONFIG: seed")) << file_lines().front();
}

TEST_F(LogTest, TheFileIsAppendedToWithFullDates) {
  screen([&] {
    log::open_file(path);
    log::info("one");
    log::open_file(path);
    log::warning("two");
    log::close_file();
    log::info("three");
  });
  const std::string date = "[0-9]{4}-[0-9]{2}-[0-9]{2}T[0-9]{2}:[0-9]{2}:[0-9]{2}\\.[0-9]{3}[+-][0-9]{2}:[0-9]{2} ";
  const auto lines = file_lines();
  ASSERT_EQ(lines.size(), 3u);
  EXPECT_TRUE(std::regex_match(lines[0], std::regex(date + "one"))) << lines[0];
  EXPECT_TRUE(std::regex_match(lines[1], std::regex(date + "warning: two"))) << lines[1];
  EXPECT_EQ(lines[2], "");
}

TEST_F(LogTest, AFileThatCannotBeOpenedOrWrittenStopsNothing) {
  const auto shown = screen([&] {
    log::open_file(folder.path());  // a folder
    log::info("still here");
    log::open_file("/dev/full");
    log::info("and here");
  });
  EXPECT_NE(shown.find("cannot open the log file; this run logs to the terminal only"), std::string::npos);
  EXPECT_NE(shown.find("still here\n"), std::string::npos);
  EXPECT_NE(shown.find("and here\n"), std::string::npos);
}

TEST_F(LogTest, LinesOfManyThreadsStayWhole) {
  screen([&] {
    log::open_file(path);
    std::vector<std::thread> threads;
    for (int t = 0; t < 4; ++t) {
      threads.emplace_back([] {
        for (int i = 0; i < 100; ++i) log::info("a line");
      });
    }
    for (auto& thread : threads) thread.join();
  });
  const auto lines = file_lines();
  ASSERT_EQ(lines.size(), 401u);
  for (int i = 0; i < 400; ++i) EXPECT_TRUE(lines[i].ends_with(" a line"));
}

}  // namespace
}  // namespace peerless
