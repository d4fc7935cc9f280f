// What scripts/quickstart.sh says of the two models that it compares: they differ in one block, which costs the same.
#include <gtest/gtest.h>

#include <fstream>
#include <iterator>

#include "peerless/config/config.h"
#include "peerless/train/run_config.h"

namespace peerless {
namespace {

// The setting in single quotes that the script trains the dense twin with.
std::string twin() {
  std::ifstream file("scripts/quickstart.sh");
  const std::string script{std::istreambuf_iterator<char>(file), {}};
  const auto begin = script.find("'model.layers=") + 1;
  return script.substr(begin, script.find('\'', begin) - begin);
}

TEST(Quickstart, ItsTwoModelsCostTheSame) {
  const auto load = [](const std::vector<std::string>& overrides) {
    return config::load<RunConfig>(disk(), "configs/quickstart.yaml", overrides).config;
  };
  const auto peer = load({}), dense = load({twin()});
  const auto cost = [](const RunConfig& run) { return run.model.cost(run.data.seq_len, 4096); };
  EXPECT_EQ(cost(peer).flops, cost(dense).flops);
  EXPECT_GT(cost(peer).parameters, 2 * cost(dense).parameters);
  const auto differences = config::compare(peer, dense);
  ASSERT_EQ(differences.size(), 1u);
  EXPECT_EQ(differences[0].path, "model.layers.0.ffw.kind");
}

}  // namespace
}  // namespace peerless
