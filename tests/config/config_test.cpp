#include "peerless/config/config.h"

#include <gtest/gtest.h>
#include <unistd.h>

#include <filesystem>

#include "tests/config/example.h"
#include "tests/support/complaint.h"

namespace peerless::config {
namespace {

using example::RunConfig;
using test::complaint;

class ConfigFile : public testing::Test {
 protected:
  ConfigFile() { std::filesystem::create_directory(folder_); }
  ~ConfigFile() override { std::filesystem::remove_all(folder_); }

  std::filesystem::path write(std::string_view text) const {
    const auto path = folder_ / "run.yaml";
    write_atomically(disk(), path, text);
    return path;
  }

 private:
  std::filesystem::path folder_ = std::filesystem::path(testing::TempDir()) / concat("config_test-", getpid());
};

TEST_F(ConfigFile, LoadsWithOverridesAndOrigins) {
  const auto path = write("seed: 3\n");
  const auto [run, origins] = load<RunConfig>(disk(), path, {"optim.lr=1"});
  EXPECT_EQ(run.seed, 3);
  EXPECT_EQ(run.optim.lr, 1);
  EXPECT_EQ(origins.of("seed"), path.string() + ":1");
  EXPECT_EQ(origins.of("optim.lr"), "command line");
  EXPECT_EQ(origins.of("name"), "default");
}

TEST_F(ConfigFile, NamesTheFileInItsErrors) {
  const auto path = write("sed: 3\n");
  EXPECT_EQ(complaint(ExitCode::config, [&] { load<RunConfig>(disk(), path, {}); }),
            path.string() + ":1:1: sed: unknown key; did you mean 'seed'?");
}

TEST_F(ConfigFile, IsNotReadAboveOneMebibyte) {
  const auto path = write("");
  std::filesystem::resize_file(path, 100'000'000);
  EXPECT_EQ(complaint(ExitCode::config, [&] { load<RunConfig>(disk(), path, {}); }),
            path.string() + ":1:1: a config must not exceed 1048576 bytes, got 100000000");
}

TEST_F(ConfigFile, ThatIsAbsentIsAnErrorOfItsOwn) {
  EXPECT_EQ(complaint(ExitCode::no_input, [] { load<RunConfig>(disk(), "/nonexistent/run.yaml", {}); }),
            "/nonexistent/run.yaml: cannot open: No such file or directory");
}

}  // namespace
}  // namespace peerless::config
