#include "peerless/config/write.h"

#include <gtest/gtest.h>

#include <limits>

#include "peerless/config/config.h"
#include "tests/config/example.h"

namespace peerless::config {
namespace {

using example::RunConfig;

TEST(DumpConfig, WritesEveryKey) {
  EXPECT_EQ(dump(example::full()),
            R"(seed: 2
name: "b: \"quoted\", ü"
model:
  n_layers: 12
  rope_theta: 1000000
  softcap: 0.3333333333333333
  tie: true
  ffw:
    kind: peer
    num_keys: 16
    top_k: 2
    query_norm: full
  layers:
    - at: [2, 5-9]
      ffw:
        kind: dense
        d_ff: 72
    - at: [0-1]
      ffw:
        kind: peer
        num_keys: 8
        top_k: 4
        query_norm: none
optim:
  lr: 1.0e-08
  betas: [0.5]
  warmup: 2000000000tok
log:
  dir: /tmp/runs
  every_steps: 0
)");
}

TEST(DumpConfig, ReadsBackAsAnEqualConfig) {
  EXPECT_EQ(parse<RunConfig>(dump(RunConfig()), "dump"), RunConfig());
  EXPECT_EQ(parse<RunConfig>(dump(example::full()), "dump"), example::full());
}

TEST(DumpConfig, KeepsEveryBitOfANumber) {
  RunConfig run;
  for (const double x : {0.1, 1.0 / 3, 5e-324, 2.2250738585072014e-308, 1.7976931348623157e308, 123456789.123, 1e15,
                         1e17, 9007199254740993.0, 3.0}) {
    run.optim.lr = x;
    EXPECT_EQ(parse<RunConfig>(dump(run), "dump").optim.lr, x) << x;
  }
  run.seed = std::numeric_limits<std::int64_t>::max();
  EXPECT_EQ(parse<RunConfig>(dump(run), "dump").seed, run.seed);
}

TEST(DumpConfig, QuotesWhatWouldNotBeAStringWithout) {
  RunConfig run;
  for (const char* text :
       {"x",   "a/b.c-d_e", "./x", "null", "~", "No",     "true",   "1",    "-1",   "1e3",  ".5",   ".inf",
        "a b", "a: b",      "#x",  " x ",  "'", "\"",     "\\",     "a\nb", "a\tb", "\x7f", "\x1b", "*x",
        "&x",  "!x",        "{",   "[",    "]", ",",      "%",      "@",    "`",    "-",    "- x",  "?",
        "|",   ">",         "---", "...",  "é", "\u0085", "\u2028", "<<",   "="}) {
    run.name = text;
    EXPECT_EQ(parse<RunConfig>(dump(run), "dump").name, text) << dump(run);
  }
  EXPECT_EQ(quote("runs/a-1"), "runs/a-1");
  EXPECT_EQ(quote("no"), "\"no\"");
  EXPECT_EQ(quote("12"), "\"12\"");
}

TEST(ShowConfig, NamesTheOriginOfEachValue) {
  Tree tree =
      parse_yaml("seed: 3\nmodel:\n  ffw: {kind: peer, top_k: 2}\n  layers: [{at: [2]}]\noptim: {betas: [0.8, 0.9]}\n",
                 "run.yaml");
  apply_overrides(tree, {"log.every_steps=3", "optim.betas.1=0.99"});
  Origins origins(tree);
  origins.derive("model.rope_theta");
  EXPECT_EQ(show(read<RunConfig>(tree), origins),
            R"(seed: 3               # run.yaml:1
name: run             # default
model:
  n_layers: 4         # default
  rope_theta: 10000   # derived
  softcap: null       # default
  tie: false          # default
  ffw:
    kind: peer        # run.yaml:3
    num_keys: 8       # default
    top_k: 2          # run.yaml:3
    query_norm: none  # default
  layers:
    - at: [2]         # run.yaml:4
      ffw:
        kind: dense   # default
        d_ff: 64      # default
optim:
  lr: 0.001           # default
  betas: [0.8, 0.99]  # run.yaml:5, command line
  warmup: 2%          # default
log:
  dir: runs           # default
  every_steps: 3      # command line
)");
}

TEST(ShowConfig, IsItselfAConfig) {
  EXPECT_EQ(parse<RunConfig>(show(example::full(), Origins()), "show"), example::full());
}

TEST(ShowConfig, ALongLineDoesNotPushTheOthers) {
  RunConfig run;
  run.name = std::string(100, 'x');
  const std::string shown = show(run, Origins());
  EXPECT_NE(shown.find("\nname: " + run.name + "  # default\n"), std::string::npos);
  EXPECT_NE(shown.find("\n  betas: [0.9, 0.95]  # default\n"), std::string::npos);
}

}  // namespace
}  // namespace peerless::config
