#include "peerless/train/status.h"

#include <gtest/gtest.h>

#include <nlohmann/json.hpp>

#include "tests/support/memory_files.h"

namespace peerless {
namespace {

class StatusTest : public testing::Test {
 protected:
  void SetUp() override { files.make_folder("/run"); }
  // Without the time.
  std::string written() {
    auto json = nlohmann::ordered_json::parse(files.content("/run/status.json"));
    EXPECT_EQ(json["time"].get<std::string>().size(), 20u);
    json.erase("time");
    return json.dump();
  }
  MemoryFiles files;
  Status status{files, "/run/status.json", /*max_steps=*/200};
};

TEST_F(StatusTest, TellsWhereARunStands) {
  status.running(0);
  EXPECT_EQ(written(), R"({"state":"running","code":null,"step":0,"max_steps":200,"durable":0})");
  status.durable(100);
  status.running(110);
  EXPECT_EQ(written(), R"({"state":"running","code":null,"step":110,"max_steps":200,"durable":100})");
}

TEST_F(StatusTest, TellsHowARunEnded) {
  status.durable(100);
  status.ended(ExitCode::ok);
  EXPECT_EQ(written(), R"({"state":"paused","code":0,"step":100,"max_steps":200,"durable":100})");
  status.ended(ExitCode::preempted);
  EXPECT_EQ(written(), R"({"state":"stopped","code":75,"step":100,"max_steps":200,"durable":100})");
  status.ended(ExitCode::diverged);
  EXPECT_EQ(written(), R"({"state":"failed","code":80,"step":100,"max_steps":200,"durable":100})");
  status.durable(200);
  status.ended(ExitCode::ok);
  EXPECT_EQ(written(), R"({"state":"done","code":0,"step":200,"max_steps":200,"durable":200})");
}

TEST_F(StatusTest, ADiskThatIsFullEndsNoRun) {
  status.running(1);
  for (int operation = 1; operation <= 6; ++operation) {
    files.fail_at(operation, ENOSPC);
    EXPECT_NO_THROW(status.running(2)) << operation;
    files.heal();
  }
  status.running(3);
  EXPECT_EQ(written(), R"({"state":"running","code":null,"step":3,"max_steps":200,"durable":0})");
}

}  // namespace
}  // namespace peerless
