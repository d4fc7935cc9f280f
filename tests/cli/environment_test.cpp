// What a host may be like: training ends in the same bits, or says in one line why it cannot begin.
#include <gmock/gmock.h>
#include <gtest/gtest.h>
#include <sys/prctl.h>
#include <sys/resource.h>
#include <sys/stat.h>

#include "tests/cli/several.h"

namespace peerless {
namespace {

using test::Several;
using testing::HasSubstr;

void limit(decltype(RLIMIT_NOFILE) resource, rlim_t most) {
  const rlimit both{most, most};
  setrlimit(resource, &both);
}

void log_to(const char* path) { dup2(open(path, O_WRONLY), STDERR_FILENO); }

void log_to_nobody() {
  int ends[2];
  if (pipe(ends) != 0) _exit(127);
  dup2(ends[1], STDERR_FILENO);
  close(ends[0]);
  close(ends[1]);
}

void close_standard_streams() {
  for (const int stream : {STDIN_FILENO, STDOUT_FILENO, STDERR_FILENO}) close(stream);
}

void preload_jumping_clock() { setenv("LD_PRELOAD", test::program("libjumping_clock.so").c_str(), 1); }

// As a user who is not root, for whom permissions count.
void obey_permissions() {
  for (const int capability : {1 /*CAP_DAC_OVERRIDE*/, 2 /*CAP_DAC_READ_SEARCH*/}) prctl(PR_CAPBSET_DROP, capability);
}

struct Host {
  const char* name;
  void (*prepare)();
};

class Environment : public Several, public testing::WithParamInterface<Host> {};

INSTANTIATE_TEST_SUITE_P(
    On, Environment,
    testing::Values(Host{"no_variables", [] { clearenv(); }}, Host{"few_descriptors", [] { limit(RLIMIT_NOFILE, 64); }},
                    Host{"no_standard_streams", close_standard_streams},
                    Host{"a_full_log", [] { log_to("/dev/full"); }}, Host{"a_log_that_nobody_reads", log_to_nobody},
                    Host{"another_time_zone", [] { setenv("TZ", "Asia/Kathmandu", 1); }},
                    Host{"a_clock_that_jumps", preload_jumping_clock}, Host{"umask_of_all", [] { umask(0777); }},
                    Host{"umask_of_none", [] { umask(0); }}),
    [](const auto& test) { return test.param.name; });

TEST_P(Environment, ChangesNothing) {
  ASSERT_EQ(job.train("usual").code, 0);
  for (const char* stop_at : {"train.stop_at=15", "train.stop_at=40"}) {  // a resume is part of it
    const auto outcome = job.start("here", {stop_at}, "peerless", GetParam().prepare).wait();
    EXPECT_EQ(outcome.code, 0) << outcome;
  }
  expect_same_runs("usual", "here");
  for (const auto& entry : std::filesystem::recursive_directory_iterator(job.of_run("here"))) {
    const auto mode = entry.status().permissions() & std::filesystem::perms::mask;
    EXPECT_EQ(static_cast<int>(mode), entry.is_directory() ? 0750 : 0640) << entry.path();
  }
}

TEST_F(Environment, ProcessesMeetAndTrainWhereTheClockJumps) {
  expect_all(train(2, "usual", {}), 0);
  ASSERT_EQ(setenv("LD_PRELOAD", test::program("libjumping_clock.so").c_str(), 1), 0);
  const auto outcomes = train(2, "here", {});
  unsetenv("LD_PRELOAD");
  expect_all(outcomes, 0);
  expect_same_runs("usual", "here");
}

// libgomp's own words on how long its threads spin for work.
TEST_F(Environment, ThreadsThatWaitLeaveTheirCoreSoon) {
  const auto turns = [&](const char* name, const char* variable, const char* value) {
    const auto prepare = [=] {
      unsetenv("GOMP_SPINCOUNT");
      setenv("OMP_DISPLAY_ENV", "verbose", 1);
      if (variable != nullptr) setenv(variable, value, 1);
    };
    const auto outcome = job.start(name, {"train.max_steps=1"}, "peerless", prepare).wait();
    EXPECT_EQ(outcome.code, 0) << outcome;
    const auto said = outcome.err.substr(outcome.err.rfind("GOMP_SPINCOUNT = "));
    return said.substr(0, said.find('\n'));
  };
  EXPECT_EQ(turns("a", nullptr, nullptr), "GOMP_SPINCOUNT = '1000'");
  EXPECT_EQ(turns("b", "GOMP_SPINCOUNT", "20000"), "GOMP_SPINCOUNT = '20000'");
  EXPECT_EQ(turns("c", "OMP_WAIT_POLICY", "passive"), "GOMP_SPINCOUNT = '0'");
}

// What a process may leave behind, as the system sees it.
std::string core_limit(pid_t process) {
  const auto limits = test::content("/proc/" + std::to_string(process) + "/limits");
  const auto at = limits.find("Max core file size");
  return limits.substr(at, limits.find('\n', at) - at);
}

TEST_F(Environment, WeightsGoIntoNoCoreDump) {
  const auto limit_of = [&](const std::string& name, void (*prepare)()) {
    const auto process = job.start(name, {"train.max_steps=1000000"}, "peerless", prepare);
    EXPECT_TRUE(process.prints("step 1/"));
    const auto limit = core_limit(process.id());
    process.signal(SIGTERM);
    EXPECT_EQ(process.wait().code, 75);
    return limit;
  };
  EXPECT_THAT(limit_of("a", nullptr), testing::MatchesRegex("Max core file size +0 +0 +bytes *"));
  EXPECT_EQ(limit_of("b", [] { setenv("PEERLESS_CORE_DUMPS", "1", 1); }), core_limit(getpid()));
}

TEST_F(Environment, AFileSizeLimitEndsTheRunAfterSoManySaves) {
  const auto outcome = job.start("a", {"checkpoint.every_steps=1", "checkpoint.max_failed_saves=2"}, "peerless",
                                 [] { limit(RLIMIT_FSIZE, 64 << 10); })
                           .wait();
  EXPECT_EQ(outcome.code, 74) << outcome;
  EXPECT_THAT(outcome.err, HasSubstr("what=\"2 saves in a row have failed: the checkpoint of step 2 is not saved: "));
  EXPECT_THAT(outcome.err, HasSubstr("File too large\"\n"));
}

// One save that fails does not make a stop that follows it fail too.
TEST_F(Environment, AStopAfterASaveThatFailedSavesOnceMore) {
  std::string sets = "{path: val, name: set0}";
  for (int i = 1; i < 60; ++i) sets += ", {path: val, name: set" + std::to_string(i) + "}";  // a long evaluation
  const auto process =
      job.start("a", {"checkpoint.mode=sync", "eval.every_steps=10", "data.val=[" + sets + "]"}, "peerless", [] {
        const rlimit small{64 << 10, RLIM_INFINITY};
        setrlimit(RLIMIT_FSIZE, &small);
      });
  ASSERT_TRUE(process.prints("the checkpoint of step 10 is not saved: "));
  ASSERT_TRUE(process.prints("the run goes on without it"));
  const rlimit none{RLIM_INFINITY, RLIM_INFINITY};
  ASSERT_EQ(prlimit(process.id(), RLIMIT_FSIZE, &none, nullptr), 0);
  process.signal(SIGTERM);
  const auto stopped = process.wait();
  EXPECT_EQ(stopped.code, 75) << stopped;
  EXPECT_THAT(stopped.err, HasSubstr("checkpoint of step 10 is durable"));
}

// A folder that cannot be written into is found before the first step is done.
TEST_F(Environment, WhereARunCannotWriteItDoesNotBegin) {
  namespace fs = std::filesystem;
  const auto refusal = [&](test::Settings settings) {
    settings.emplace_back("train.max_steps=20");
    settings.emplace_back("eval.every_steps=100");
    const auto outcome = job.start("a", settings, "peerless", obey_permissions).wait();
    EXPECT_EQ(outcome.code, 73) << outcome;
    EXPECT_THAT(outcome.err, testing::Not(HasSubstr("step 1/"))) << outcome;
    return outcome.err;
  };
  const auto closed = [&](const fs::path& folder, int mode, const test::Settings& settings) {
    chmod((job.folder() / folder).c_str(), static_cast<mode_t>(mode));
    const auto said = refusal(settings);
    chmod((job.folder() / folder).c_str(), 0750);
    return said;
  };
  fs::create_directory(job.folder() / "there");
  EXPECT_THAT(closed("there", 0500, {"run.dir=there"}),
              HasSubstr("there/a: cannot make the folder: Permission denied"));
  EXPECT_THAT(closed("there", 0600, {"run.dir=there"}), HasSubstr("there/a/id: cannot look up: Permission denied"));
  test::write(job.folder() / "file", "mine");
  EXPECT_THAT(refusal({"run.dir=file"}), HasSubstr("file/a: cannot make the folder: Not a directory"));
  fs::create_symlink("nowhere", job.folder() / "dangling");
  EXPECT_THAT(refusal({"run.dir=dangling"}), HasSubstr("dangling/a: cannot make the folder: No such file"));
  EXPECT_THAT(refusal({"run.dir=.", "run.name=dangling"}), HasSubstr("./dangling: is not a folder; choose another"));
  EXPECT_THAT(refusal({"run.name=" + std::string(300, 'x')}), HasSubstr("File name too long"));
  std::string deep = "run.dir=d";
  for (int i = 0; i < 500; ++i) deep += "/123456789";
  EXPECT_THAT(refusal({deep}), HasSubstr("File name too long"));

  ASSERT_EQ(job.train("a", {"train.max_steps=20", "train.stop_at=5", "eval.every_steps=100"}).code, 0);
  EXPECT_THAT(closed("runs/a", 0500, {}), HasSubstr(".tmp: cannot create: Permission denied"));
  EXPECT_THAT(closed("runs/a/checkpoints", 0500, {}),
              HasSubstr("checkpoints/.probe.tmp: cannot create: Permission denied"));
  EXPECT_THAT(closed("runs/a/id", 0000, {}), HasSubstr("runs/a/id: cannot open: Permission denied"));
  EXPECT_THAT(closed("runs/a", 01777, {}), HasSubstr("runs/a: may be written by all users; chmod o-w it"));
}

}  // namespace
}  // namespace peerless
