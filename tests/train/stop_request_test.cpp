#include "peerless/train/stop_request.h"

#include <gtest/gtest.h>
#include <signal.h>
#include <unistd.h>

#include "peerless/base/text.h"

namespace peerless {
namespace {

TEST(StopRequest, NamesTheSignalThatAsked) {
  const StopRequest stop;
  EXPECT_FALSE(stop.received());
  for (const auto& [signal, name] : {std::pair{SIGTERM, "SIGTERM"},
                                     {SIGUSR1, "SIGUSR1"},
                                     {SIGUSR2, "SIGUSR2"},
                                     {SIGXCPU, "SIGXCPU"},
                                     {SIGINT, "SIGINT"},
                                     {SIGHUP, "SIGHUP"}}) {
    raise(signal);
    ASSERT_TRUE(stop.received());
    EXPECT_STREQ(stop.signal_name(), name);
    EXPECT_EQ(stop.who(), name);
    EXPECT_EQ(stop.text(), concat(name, " asks to stop", signal == SIGINT ? " (a second Ctrl-C ends it at once)" : ""));
  }
}

TEST(StopRequest, StartsWithoutAny) {
  {
    const StopRequest before;
    raise(SIGTERM);
  }
  EXPECT_FALSE(StopRequest().received());
}

TEST(StopRequest, ItsAgeIsThatOfTheFirstSignal) {
  const StopRequest stop;
  EXPECT_EQ(stop.who(), "another process");
  EXPECT_EQ(stop.age().count(), 0);
  raise(SIGTERM);
  ::usleep(20'000);
  raise(SIGTERM);
  EXPECT_GE(stop.age().count(), 0.02);
  EXPECT_LT(stop.age().count(), 10);
}

TEST(StopRequest, ASecondInterruptEndsTheProcess) {
  const auto twice = [] {
    const StopRequest stop;
    raise(SIGINT);
    raise(SIGTERM);
    raise(SIGINT);
  };
  EXPECT_EXIT(twice(), testing::ExitedWithCode(130), "");
}

TEST(StopRequest, ALostTerminalIsNoReasonUnderNohup) {
  signal(SIGHUP, SIG_IGN);
  {
    const StopRequest stop;
    raise(SIGHUP);
    EXPECT_FALSE(stop.received());
  }
  signal(SIGHUP, SIG_DFL);
}

TEST(StopRequest, GivesTheHandlersBack) {
  { const StopRequest stop; }
  struct sigaction now {};
  sigaction(SIGTERM, nullptr, &now);
  EXPECT_EQ(now.sa_handler, SIG_DFL);
}

}  // namespace
}  // namespace peerless
