#include "peerless/config/read.h"

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

RunConfig parsed(std::string_view yaml) { return parse<RunConfig>(yaml, "run.yaml"); }
std::string refusal(std::string_view yaml) {
  return complaint(ExitCode::config, [&] { parsed(yaml); });
}

TEST(ReadConfig, AnAbsentKeyKeepsTheDefaultOfTheStruct) { EXPECT_EQ(parsed(""), RunConfig()); }

TEST(ReadConfig, SetsEveryTypeOfField) {
  const RunConfig run = parsed(R"(
seed: 7
name: a run
model:
  rope_theta: 1e6
  softcap: 30
  tie: true
  ffw: {kind: peer, top_k: 2, query_norm: head}
  layers:
    - {at: [2, 5-9], ffw: {kind: dense, d_ff: 128}}
    - at: ["11"]
optim: {betas: [0.8], warmup: 2e9tok}
)");
  EXPECT_EQ(run.seed, 7);
  EXPECT_EQ(run.name, "a run");
  EXPECT_EQ(run.model.rope_theta, 1e6);
  EXPECT_EQ(run.model.softcap, 30);
  EXPECT_TRUE(run.model.tie);
  EXPECT_EQ(std::get<PeerConfig>(run.model.ffw), (PeerConfig{.top_k = 2, .query_norm = example::Norm::head}));
  ASSERT_EQ(run.model.layers.size(), 2u);
  EXPECT_EQ(run.model.layers[0].at, (LayerSet{{2, 2}, {5, 9}}));
  EXPECT_EQ(std::get<DenseConfig>(run.model.layers[0].ffw).d_ff, 128);
  EXPECT_EQ(run.model.layers[1].at, (LayerSet{{11, 11}}));
  EXPECT_EQ(run.model.layers[1].ffw, example::FfwConfig()) << "the first kind is the default";
  EXPECT_EQ(run.optim.betas, std::vector<double>{0.8}) << "a list replaces the default one";
  EXPECT_EQ(run.optim.warmup, Duration::of_tokens(2'000'000'000));
}

TEST(ReadConfig, NullUnsetsAnOptional) {
  for (const char* null : {"null", "~", ""}) EXPECT_FALSE(parsed(concat("model: {softcap: ", null, "}")).model.softcap);
}

struct Presets {
  std::optional<std::int64_t> limit = 3;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("limit", c.limit, AtLeast{1}, "an optional that is set by default");
  }
};

TEST(ReadConfig, NullUnsetsADefault) {
  EXPECT_EQ(parse<Presets>("", "run.yaml").limit, 3);
  EXPECT_EQ(parse<Presets>("limit: null", "run.yaml").limit, std::nullopt);
}

TEST(ReadConfig, AStringTakesAnyWord) {
  for (const char* word : {"no", "yes", "true", "12", "1e3", "a-b"})
    EXPECT_EQ(parsed(concat("name: ", word)).name, word);
}

struct BadConfig {
  const char* fault;
  const char* yaml;
  const char* message;
};
void PrintTo(const BadConfig& bad, std::ostream* out) { *out << bad.fault; }

class RefusedConfig : public testing::TestWithParam<BadConfig> {};

TEST_P(RefusedConfig, NamesThePlaceTheRuleAndWhatItGot) { EXPECT_EQ(refusal(GetParam().yaml), GetParam().message); }

const BadConfig kBadConfigs[] = {
    {"UnknownKey", "sede: 1", "run.yaml:1:1: sede: unknown key; did you mean 'seed'?"},
    {"UnknownNestedKey", "model:\n  n_layer: 2", "run.yaml:2:3: model.n_layer: unknown key; did you mean 'n_layers'?"},
    {"UnknownKeyOfAKind", "model: {ffw: {kind: peer, top_l: 1}}",
     "run.yaml:1:27: model.ffw.top_l: unknown key; did you mean 'top_k'?"},
    {"KeyOfAnotherKind", "model: {ffw: {kind: dense, top_k: 1}}",
     "run.yaml:1:28: model.ffw.top_k: unknown key of kind 'dense'; it belongs to kind 'peer'"},
    {"KeyInAnElement", "model: {layers: [{at: [1]}, {at: [2], fw: 1}]}",
     "run.yaml:1:39: model.layers.1.fw: unknown key; did you mean 'ffw'?"},
    {"KeyWithADot", "model.n_layers: 3",
     "run.yaml:1:1: model.n_layers: unknown key; in a file 'n_layers' stands inside 'model', not behind a dot"},
    {"KeyOfAnotherSection", "lr: 3", "run.yaml:1:1: lr: unknown key; did you mean 'optim.lr'?"},
    {"NearAKeyOfAnotherSection", "warm_up: 3", "run.yaml:1:1: warm_up: unknown key; did you mean 'optim.warmup'?"},
    {"KeyOfTheTop", "optim: {seed: 3}", "run.yaml:1:9: optim.seed: unknown key; did you mean 'seed' at the top?"},
    {"KeyOfManyKinds", "top_k: 3",
     "run.yaml:1:1: top_k: unknown key; did you mean 'model.ffw.top_k' or 'model.layers.*.ffw.top_k'?"},
    {"KeyLikeNoOther", "optim: {frobnicate: 3}",
     "run.yaml:1:9: optim.frobnicate: unknown key; here are lr, betas and warmup"},
    {"MisspeltKind", "model: {ffw: {knid: peer, top_k: 3}}",
     "run.yaml:1:15: model.ffw.knid: unknown key; did you mean 'kind'?"},
    {"NoKindAndAnUnknownKey", "model: {ffw: {top_kk: 3}}",
     "run.yaml:1:14: model.ffw: kind is missing: dense or peer\n"
     "run.yaml:1:15: model.ffw.top_kk: unknown key; did you mean 'top_k'?"},
    {"KindLikeNoOther", "model: {ffw: {kind: transformer}}",
     "run.yaml:1:21: model.ffw.kind: expected dense or peer, got 'transformer'"},
    {"BrokenRule", "model: {n_layers: 0}", "run.yaml:1:19: model.n_layers: must be >= 1, got 0"},
    {"BrokenOptional", "model: {softcap: -1.5}", "run.yaml:1:18: model.softcap: must be > 0, got -1.5"},
    {"BrokenElement", "optim: {betas: [0.9, 1]}", "run.yaml:1:22: optim.betas.1: must be >= 0 and < 1, got 1"},
    {"EmptyString", "name: ''", "run.yaml:1:7: name: must be non-empty, got \"\""},
    {"EmptyList", "model: {layers: [{at: []}]}", "run.yaml:1:23: model.layers.0.at: must be non-empty"},
    {"RequiredKey", "model: {layers: [{}]}", "run.yaml:1:18: model.layers.0.at: is required, and must be non-empty"},
    {"RuleOverSeveralFields", "model:\n  ffw:\n    kind: peer\n    top_k: 9",
     "run.yaml:3:5: model.ffw: top_k (9) must not exceed num_keys (8)"},
    {"UnknownKind", "model: {ffw: {kind: pear}}",
     "run.yaml:1:21: model.ffw.kind: expected dense or peer, got 'pear'; did you mean 'peer'?"},
    {"NoKind", "model: {ffw: {d_ff: 8}}", "run.yaml:1:14: model.ffw: kind is missing: dense or peer"},
    {"KindIsAList", "model: {ffw: {kind: [peer]}}",
     "run.yaml:1:21: model.ffw.kind: expected dense or peer, got a list"},
    {"UnknownEnum", "model: {ffw: {kind: peer, query_norm: heads}}",
     "run.yaml:1:39: model.ffw.query_norm: expected none, head or full, got 'heads'; did you mean 'head'?"},
    {"EnumWithAReason", "model: {ffw: {kind: peer, query_norm: batch}}",
     "run.yaml:1:39: model.ffw.query_norm: expected none, head or full, got 'batch'; a batch norm is no norm of "
     "queries"},
    {"NullEnum", "model: {ffw: {kind: peer, query_norm: }}",
     "run.yaml:1:27: model.ffw.query_norm: expected none, head or full, got null"},
    {"NoIsNoBoolean", "model: {tie: no}", "run.yaml:1:14: model.tie: expected true or false, got 'no'"},
    {"CapitalBoolean", "model: {tie: True}", "run.yaml:1:14: model.tie: expected true or false, got 'True'"},
    {"QuotedBoolean", "model: {tie: 'true'}",
     "run.yaml:1:14: model.tie: expected true or false, got \"true\" in quotes"},
    {"QuotedInteger", "seed: \"1\"", "run.yaml:1:7: seed: expected an integer, got \"1\" in quotes"},
    {"QuotedNumber", "optim: {lr: '1'}", "run.yaml:1:13: optim.lr: expected a number, got \"1\" in quotes"},
    {"WordForAnInteger", "seed: many", "run.yaml:1:7: seed: expected an integer, got 'many'"},
    {"FractionForAnInteger", "seed: 1.5", "run.yaml:1:7: seed: expected an integer, got '1.5'"},
    {"ExponentForAnInteger", "seed: 1e6", "run.yaml:1:7: seed: expected an integer, got '1e6'; write 1000000"},
    {"UnderscoreInAnInteger", "seed: 1_000", "run.yaml:1:7: seed: expected an integer, got '1_000'"},
    {"PlusBeforeAnInteger", "seed: +1", "run.yaml:1:7: seed: expected an integer, got '+1'"},
    {"HexadecimalInteger", "seed: 0x10", "run.yaml:1:7: seed: expected an integer, got '0x10'"},
    {"HugeInteger", "seed: 9223372036854775808",
     "run.yaml:1:7: seed: expected an integer of 64 bits, got 9223372036854775808"},
    {"NegativeInteger", "seed: -1", "run.yaml:1:7: seed: must be >= 0, got -1"},
    {"WordForANumber", "optim: {lr: fast}", "run.yaml:1:13: optim.lr: expected a number, got 'fast'"},
    {"CommaInANumber", "optim: {lr: '0,1'}", "run.yaml:1:13: optim.lr: expected a number, got \"0,1\" in quotes"},
    {"NotANumber", "optim: {lr: .nan}", "run.yaml:1:13: optim.lr: must be finite, got .nan"},
    {"NotANumberInCapitals", "optim: {lr: NaN}", "run.yaml:1:13: optim.lr: must be finite, got NaN"},
    {"NotANumberWithPayload", "optim: {lr: nan(1)}", "run.yaml:1:13: optim.lr: expected a number, got 'nan(1)'"},
    {"Infinity", "optim: {lr: .inf}", "run.yaml:1:13: optim.lr: must be finite, got .inf"},
    {"NegativeInfinity", "optim: {lr: -inf}", "run.yaml:1:13: optim.lr: must be finite, got -inf"},
    {"HugeNumber", "optim: {lr: 1e400}", "run.yaml:1:13: optim.lr: beyond the range of a double, got 1e400"},
    {"TinyNumber", "optim: {lr: 1e-400}", "run.yaml:1:13: optim.lr: beyond the range of a double, got 1e-400"},
    {"NullForANumber", "optim: {lr: null}", "run.yaml:1:9: optim.lr: expected a number, got null"},
    {"ListForANumber", "optim: {lr: [1]}", "run.yaml:1:13: optim.lr: expected a number, got a list"},
    {"MappingForAString", "name: {a: 1}", "run.yaml:1:7: name: expected a string, got a mapping"},
    {"NullForAString", "name: ~", "run.yaml:1:1: name: expected a string, got null"},
    {"WordForAList", "optim: {betas: 0.9}", "run.yaml:1:16: optim.betas: expected a list, got '0.9'"},
    {"NullForAMapping", "model:\nseed: 1", "run.yaml:1:1: model: expected a mapping, got null"},
    {"ListForAMapping", "model: []", "run.yaml:1:8: model: expected a mapping, got a list"},
    {"WordForAKind", "model: {ffw: peer}", "run.yaml:1:14: model.ffw: expected a mapping with a kind, got 'peer'"},
    {"BadDuration", "optim: {warmup: 2 days}",
     "run.yaml:1:17: optim.warmup: expected steps (100), tokens (2e9tok) or a share of the run (2%), got '2 days'"},
    {"BadLayerRange", "model: {layers: [{at: [9-5]}]}",
     "run.yaml:1:24: model.layers.0.at.0: expected a layer (2) or a range of layers (5-9), got '9-5'"},
    {"UnprintableValue", "seed: \"\\e[31m\"", "run.yaml:1:7: seed: expected an integer, got \"\\x1b[31m\" in quotes"},
};

INSTANTIATE_TEST_SUITE_P(Fault, RefusedConfig, testing::ValuesIn(kBadConfigs),
                         [](const auto& bad) { return bad.param.fault; });

TEST(ReadConfig, TellsAllProblemsInTheOrderOfTheFile) {
  EXPECT_EQ(refusal("seed: -1\nmodel:\n  n_layers: x\n  ffw: {kind: peer, top_k: 9}\nnam: x\n"),
            "run.yaml:1:7: seed: must be >= 0, got -1\n"
            "run.yaml:3:13: model.n_layers: expected an integer, got 'x'\n"
            "run.yaml:4:8: model.ffw: top_k (9) must not exceed num_keys (8)\n"
            "run.yaml:5:1: nam: unknown key; did you mean 'name'?");
}

TEST(ReadConfig, TellsTenProblemsAtMost) {
  std::string yaml = "optim: {betas: [";
  for (int i = 0; i < 12; ++i) yaml += "2, ";
  const auto lines = split(refusal(yaml + "0]}"), '\n');
  ASSERT_EQ(lines.size(), 11u);
  EXPECT_EQ(lines.back(), "and 2 more");
}

TEST(ReadConfig, AMisspeltKeyIsNotCalledMissingToo) {
  EXPECT_EQ(refusal("model: {layers: [{att: [1]}]}"),
            "run.yaml:1:19: model.layers.0.att: unknown key; did you mean 'at'?");
}

TEST(ReadConfig, RulesOverSeveralFieldsWaitForTheFields) {
  EXPECT_EQ(refusal("model: {ffw: {kind: peer, top_k: 9, num_keys: 0}}"),
            "run.yaml:1:47: model.ffw.num_keys: must be >= 1, got 0");
}

struct Required {
  struct Tokenizer {
    std::string model;

    template <class Self, class Visit>
    static void fields(Self& c, Visit&& visit) {
      visit("model", c.model, NotEmpty{}, "the model file");
    }
  };
  Tokenizer tokenizer;

  template <class Self, class Visit>
  static void fields(Self& c, Visit&& visit) {
    visit("tokenizer", c.tokenizer, Any{}, "the tokenizer");
  }
};

TEST(ReadConfig, ADefaultThatBreaksItsRuleMakesTheKeyRequired) {
  EXPECT_EQ(complaint(ExitCode::config, [] { parse<Required>("", "run.yaml"); }),
            "run.yaml:1:1: tokenizer.model: is required, and must be non-empty");
  EXPECT_EQ(parse<Required>("tokenizer: {model: a.model}", "run.yaml").tokenizer.model, "a.model");
}

}  // namespace
}  // namespace peerless::config
