// What somebody at a terminal sees and types.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <poll.h>

#include <array>

#include "tests/cli/small_job.h"

namespace peerless {
namespace {

using testing::HasSubstr;

class Terminal : public testing::Test {
 protected:
  Terminal() { EXPECT_TRUE(grantpt(here_) == 0 && unlockpt(here_) == 0); }
  ~Terminal() override { close(here_); }

  // A run that has the terminal to itself.
  test::Process start(const std::vector<std::string>& settings) {
    return job_.start("a", settings, "peerless", [name = std::string(ptsname(here_))] {
      setsid();
      const int terminal = open(name.c_str(), O_RDWR);
      for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) dup2(terminal, stream);
    });
  }
  void type(char key) { EXPECT_EQ(write(here_, &key, 1), 1); }

  // Whether `text` appears, before the run ends or shows nothing for a minute.
  bool shows(const std::string& text) {
    pollfd more{here_, POLLIN, 0};
    while (shown_.find(text) == std::string::npos) {
      std::array<char, 4096> some;
      const auto size = poll(&more, 1, 60'000) == 1 ? read(here_, some.data(), some.size()) : 0;
      if (size <= 0) return false;
      shown_.append(some.data(), static_cast<std::size_t>(size));
    }
    return true;
  }
  std::string shown_;

 private:
  test::SmallJob job_;
  int here_ = posix_openpt(O_RDWR | O_NOCTTY | O_CLOEXEC);
};

TEST_F(Terminal, ShowsProgressAndWhatCtrlCDoes) {
  constexpr char kCtrlC = 3;
  const auto run = start({"train.max_steps=4000", "log.every_steps=4000"});
  ASSERT_TRUE(shows("step 3/4000  loss ")) << shown_;
  EXPECT_THAT(shown_, HasSubstr("\r\033[K[................] eta "));
  type(kCtrlC);
  EXPECT_TRUE(shows("SIGINT asks to stop (a second Ctrl-C ends it at once)\r\n")) << shown_;
  EXPECT_TRUE(shows("stopped: step ")) << shown_;
  EXPECT_EQ(run.wait().code, 75) << shown_;
}

}  // namespace
}  // namespace peerless
