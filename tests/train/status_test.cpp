#include "peerless/train/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/faulty_files.h"
#include "tests/support/memory_files.h"

namespace peerless {
namespace {

class StatusTest : public testing::Test {
 protected:
  void SetUp() override {
    files.make_folder("/run");
    status.open("/run/status.json", /*max_steps=*/200, /*durable_before=*/0);
  }
  // Without the time.
  std::string written() {
    auto json = nlohmann::ordered_json::parse(files.content("/run/status.json"));
    EXPECT_EQ(json["time"].get<std::string>().size(), 20u);
    json.erase("time");
    return json.dump();
  }
  MemoryFiles files;
  FaultyFiles faulty{files};
  Status status{faulty};
};

TEST_F(StatusTest, TellsWhereARunStands) {
  status.running(0);
  EXPECT_EQ(written(), R"({"state":"running","code":null,"step":0,"max_steps":200,"durable":0})");
  status.durable(100);
  status.running(110);
  EXPECT_EQ(written(), R"({"state":"running","code":null,"step":110,"max_steps":200,"durable":100})");
}

// What is there then is another process's.
TEST_F(StatusTest, WritesNothingWhereItMayNot) {
  bool may_write = true;
  status.open("/run/status.json", /*max_steps=*/200, /*durable_before=*/0, [&] { return may_write; });
  status.running(10);
  const auto before = written();
  may_write = false;
  status.running(20);
  status.durable(20);
  status.ended(ExitCode::peer);
  EXPECT_EQ(written(), before);
}

TEST_F(StatusTest, TellsHowARunEnded) {
  const auto ending = [&](std::int64_t step, ExitCode code) {
    Status ended{files};
    ended.open("/run/status.json", /*max_steps=*/200, /*durable_before=*/50);
    if (step > 50) ended.durable(step);
    ended.ended(code);
    return written();
  };
  EXPECT_EQ(ending(100, ExitCode::ok), R"({"state":"paused","code":0,"step":100,"max_steps":200,"durable":100})");
  EXPECT_EQ(ending(100, ExitCode::preempted),
            R"({"state":"stopped","code":75,"step":100,"max_steps":200,"durable":100})");
  EXPECT_EQ(ending(100, ExitCode::diverged),
            R"({"state":"failed","code":80,"step":100,"max_steps":200,"durable":100})");
  EXPECT_EQ(ending(50, ExitCode::no_progress),
            R"({"state":"failed","code":81,"step":50,"max_steps":200,"durable":50})");
  EXPECT_EQ(ending(200, ExitCode::ok), R"({"state":"done","code":0,"step":200,"max_steps":200,"durable":200})");
}

// A process that ends for another one does so while it still trains.
TEST_F(StatusTest, TheEndIsTheLastWord) {
  status.running(5);
  status.ended(ExitCode::peer);
  status.durable(6);
  status.ended(ExitCode::ok);
  EXPECT_EQ(written(), R"({"state":"failed","code":76,"step":5,"max_steps":200,"durable":0})");
}

TEST_F(StatusTest, ADiskThatIsFullEndsNoRun) {
  status.running(1);
  for (int operation = 1; operation <= 6; ++operation) {
    faulty.arm(fail_at(operation, ENOSPC));
    EXPECT_NO_THROW(status.running(2)) << operation;
  }
  faulty.arm();
  status.running(3);
  EXPECT_EQ(written(), R"({"state":"running","code":null,"step":3,"max_steps":200,"durable":0})");
}

}  // namespace
}  // namespace peerless
