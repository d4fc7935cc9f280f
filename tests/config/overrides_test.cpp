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

TEST(Overrides, HideNoErrorOfTheFile) {
  const auto hidden = [](std::string_view file, const std::vector<std::string>& overrides) {
    return complaint(ExitCode::config, [&] { with(overrides, file); });
  };
  EXPECT_EQ(hidden("seed: many", {"seed=1"}), "run.yaml:1:7: seed: expected an integer, got 'many'");
  EXPECT_EQ(hidden("model: 5", {"model.n_layers=3"}), "run.yaml:1:8: model: expected a mapping, got '5'");
  EXPECT_EQ(hidden("optim: {lr: 0, lrr: 1}", {"optim={lr: 1}"}),
            "run.yaml:1:13: optim.lr: must be > 0, got 0\n"
            "run.yaml:1:16: optim.lrr: unknown key; did you mean 'lr'?");
  EXPECT_EQ(hidden("sed: 1", {"seed=1"}), "run.yaml:1:1: sed: unknown key; did you mean 'seed'?") << "told once";
}

TEST(Overrides, MayCompleteAndMendTheWholeOfAFile) {
  EXPECT_EQ(with({"model.layers.0.at=[1]"}, "model: {layers: [{}]}").model.layers[0].at, (LayerSet{{1, 1}}));
  EXPECT_EQ(with({"model.ffw.kind=peer"}, "model: {ffw: {top_k: 2}}").model.ffw,
            example::FfwConfig(PeerConfig{.top_k = 2}));
  EXPECT_EQ(with({"model.ffw.num_keys=9"}, "model: {ffw: {kind: peer, top_k: 9}}").model.ffw,
            example::FfwConfig(PeerConfig{.num_keys = 9, .top_k = 9}));
}

TEST(Overrides, OfAKindSayHowToReplaceWhatTheFileSetsForAnother) {
  EXPECT_EQ(
      refusal({"model.ffw.kind=dense"}),
      "run.yaml:3:21: model.ffw.top_k: unknown key of kind 'dense'; it belongs to kind 'peer'; to replace that on "
      "the command line, set the whole: model.ffw='{kind: dense}'");
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
}

TEST(Overrides, AreNoDeeperThanAFileMayBe) {
  const auto nested = [](int keys, int lists) {
    std::string text = "a";
    for (int i = 1; i < keys; ++i) text += ".a";
    Tree tree = parse_yaml("", "run.yaml");
    return complaint(ExitCode::config, [&] {
      apply_overrides(tree, {concat(text, "=", std::string(lists, '['), std::string(lists, ']'))});
    });
  };
  std::string path;
  while (path.size() < 60) path += "a.";
  EXPECT_EQ(nested(2, 30), "");
  EXPECT_EQ(nested(2, 31), "command line: a.a: nested deeper than 32 levels");
  EXPECT_EQ(nested(32, 0), "");
  EXPECT_EQ(nested(33, 0), "command line: " + path + "...: nested deeper than 32 levels");
  EXPECT_EQ(nested(100'000, 0), "command line: " + path + "...: nested deeper than 32 levels");
}

}  // namespace
}  // namespace peerless::config
