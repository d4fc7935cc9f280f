#include "peerless/cluster/fatal.h"

#include <gtest/gtest.h>

#include <fstream>
#include <nlohmann/json.hpp>
#include <sstream>

#include "tests/cluster/launch_environments.h"
#include "tests/support/temporary_folder.h"

namespace peerless {
namespace {

using test::environment_of;

TEST(Fatal, IsSaidInPrintableLines) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(report_fatal(ExitCode::config, "run.yaml: line 3\n  lr: \x1b[31m", environment_of({})), 78);
  EXPECT_EQ(testing::internal::GetCapturedStderr(), "FATAL CONFIG what=\"run.yaml: line 3\"\n  lr: \\x1b[31m\n");
}

// As torch/distributed/elastic/multiprocessing/api.py reads it: ProcessFailure.
TEST(Fatal, TellsTorchrun) {
  const TemporaryFolder folder;
  const auto file = (folder / "error.json").string();
  testing::internal::CaptureStderr();
  report_fatal(ExitCode::peer, "rank 1 is \"lost\"", environment_of({{"TORCHELASTIC_ERROR_FILE", file}}));
  testing::internal::GetCapturedStderr();
  std::ifstream input(file);
  const auto json = nlohmann::json::parse(input);
  EXPECT_EQ(json.at("message").at("message"), "PEER: rank 1 is \"lost\"");
  EXPECT_FALSE(json.at("message").at("extraInfo").contains("py_callstack"));  // shown in place of the message
  EXPECT_GT(std::stoll(json.at("message").at("extraInfo").at("timestamp").get<std::string>()), 1'700'000'000);
}

TEST(Fatal, OnlySaysThatAFileCannotBeWritten) {
  testing::internal::CaptureStderr();
  EXPECT_EQ(report_fatal(ExitCode::data, "x", environment_of({{"TORCHELASTIC_ERROR_FILE", "/no/such/file"}})), 65);
  EXPECT_EQ(testing::internal::GetCapturedStderr(),
            "FATAL DATA what=\"x\"\npeerless: cannot write TORCHELASTIC_ERROR_FILE=/no/such/file\n");
}

}  // namespace
}  // namespace peerless
