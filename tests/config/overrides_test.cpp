#include "peerless/config/overrides.h"

#include <gtest/gtest.h>

#include "peerless/config/config.h"
#include "tests/config/example.h"
#include "tests/support/complaint.h"

namespace peerless::config {
namespace {

using example::DenseConfig;
using example::PeerConfig;
using example::RunConfig;
using test::complaint;

constexpr std::string_view kFile = R"(seed: 1
model:
  ffw: {kind: peer, top_k: 2}
  layers:
    - {at: [2], ffw: {kind: peer, top_k: 3}}
optim: {lr: 0.1, betas: [0.8, 0.9]}
)";

RunConfig with(const std::vector<std::string>& overrides, std::string_view file = kFile) {
  Tree tree = parse_yaml(file, "run.yaml");
  apply_overrides(tree, overrides);
  return read<RunConfig>(tree);
}
std::string refusal(const std::vector<std::string>& overrides) {
  return complaint(ExitCode::config, [&] { with(overrides); });
}

TEST(Overrides, SetAKeyOfTheFileOrANewOne) {
  EXPECT_EQ(with({"seed=2"}).seed, 2);
  EXPECT_EQ(with({"model.n_layers=7"}).model.n_layers, 7);
  EXPECT_EQ(with({"log.dir=/tmp/a b"}).log.dir, "/tmp/a b");
  EXPECT_EQ(with({"name=a=b"}).name, "a=b");
  EXPECT_EQ(with({"model.softcap=null"}).model.softcap, std::nullopt);
}

TEST(Overrides, TheLaterWins) {
  EXPECT_EQ(with({"seed=2", "seed=3"}).seed, 3);
  EXPECT_EQ(with({"model.n_layers=3", "model={n_layers: 5}"}).model.n_layers, 5);
  EXPECT_EQ(with({"model={n_layers: 5}", "model.n_layers=3"}).model.n_layers, 3);
}

TEST(Overrides, TakeListsAndMappingsWhole) {
  EXPECT_TRUE(with({"model.layers=[]"}).model.layers.empty());
  EXPECT_EQ(with({"optim.betas=[0.5, 0.6]"}).optim.betas, (std::vector{0.5, 0.6}));
  EXPECT_EQ(with({"optim={lr: 3}"}).optim.betas, RunConfig().optim.betas)
      << "what a mapping does not name is default again";
  EXPECT_EQ(with({"model.ffw={kind: dense, d_ff: 8}"}).model.ffw, example::FfwConfig(DenseConfig{.d_ff = 8}));
}

TEST(Overrides, NameElementsByNumber) {
  EXPECT_EQ(std::get<PeerConfig>(with({"model.layers.0.ffw.top_k=4"}).model.layers[0].ffw).top_k, 4);
  EXPECT_EQ(with({"optim.betas.1=0.99"}).optim.betas, (std::vector{0.8, 0.99}));
}

TEST(Overrides, GoIntoTheDefaultKindWhereTheFileNamesNone) {
  EXPECT_EQ(with({"model.ffw.d_ff=8"}, "").model.ffw, example::FfwConfig(DenseConfig{.d_ff = 8}));
  EXPECT_EQ(with({"model.ffw.kind=peer", "model.ffw.top_k=1"}, "").model.ffw,
            example::FfwConfig(PeerConfig{.top_k = 1}));
}

TEST(Overrides, FailWithTheCommandLineAsTheirPlace) {
  EXPECT_EQ(refusal({"optim.lrr=1"}), "command line: optim.lrr: unknown key; did you mean 'lr'?");
  EXPECT_EQ(refusal({"optm.lr=1"}), "command line: optm: unknown key; did you mean 'optim'?");
  EXPECT_EQ(refusal({"seed=-1"}), "command line: seed: must be >= 0, got -1");
  EXPECT_EQ(refusal({"seed="}), "command line: seed: expected an integer, got null");
  EXPECT_EQ(refusal({"seed.x=1"}), "command line: seed: expected an integer, got a mapping");
  EXPECT_EQ(refusal({"model.ffw={d_ff: 8}"}), "command line: model.ffw: kind is missing: dense or peer");
  EXPECT_EQ(refusal({"model.ffw.kind=pear"}),
            "command line: model.ffw.kind: expected dense or peer, got 'pear'; did you mean 'peer'?");
  EXPECT_EQ(refusal({"model.layers.at=3"}), "command line: model.layers: expected a list, got a mapping");
}

TEST(Overrides, AreToldAfterTheProblemsOfTheFile) {
  EXPECT_EQ(complaint(ExitCode::config, [] { with({"seed=-1"}, "seed: 1\nname: ''"); }),
            "run.yaml:2:7: name: must be non-empty, got \"\"\n"
            "command line: seed: must be >= 0, got -1");
}

TEST(Overrides, NeedAListThatHasTheElement) {
  EXPECT_EQ(refusal({"model.layers.1.at=[3]"}),
            "command line: model.layers.1: there is no such element, the list has 1; to add one, set the whole list");
  EXPECT_EQ(refusal({"optim.betas.99999999999999999999=0"}),
            "command line: optim.betas.99999999999999999999: there is no such element, the list has 2; "
            "to add one, set the whole list");
  EXPECT_EQ(refusal({"log.0=1"}), "command line: log.0: the config sets no such list; set the whole list");
}

TEST(Overrides, AreKeysAndValues) {
  EXPECT_EQ(refusal({"seed"}), "command line: expected key.path=value, got 'seed'");
  EXPECT_EQ(refusal({"=1"}), "command line: expected key.path=value, got '=1'");
  EXPECT_EQ(refusal({"optim..lr=1"}), "command line: expected key.path=value, got 'optim..lr=1'");
  EXPECT_EQ(refusal({"seed={a: [1, 2}"}), "command line: seed: not valid YAML: illegal flow end");
  EXPECT_EQ(refusal({"name=*"}), "command line: name: not valid YAML: alias not found after *");
  EXPECT_EQ(refusal({"name=*.txt"}),
            "command line: name: aliases are refused; a text that begins with '*' needs quotes");
  EXPECT_EQ(refusal({"optim={lr: 1, lr: 2}"}), "command line: optim.lr: duplicate key");
  EXPECT_EQ(refusal({std::string(100, 'a')}),
            "command line: expected key.path=value, got '" + std::string(60, 'a') + "...'");
  std::string deep = "a";
  for (int i = 0; i < 100'000; ++i) deep += ".a";
  EXPECT_NE(refusal({deep + "=1"}).find("nested deeper than 32 levels"), std::string::npos);
}

}  // namespace
}  // namespace peerless::config
